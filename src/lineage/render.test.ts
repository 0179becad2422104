import { describe, expect, it } from 'vitest';
import { entryOf, HOSTILE, idOf } from './entry.test-support.ts';
import type { LineageEntry } from './lineage-entry.ts';
import { renderDot } from './render-dot.ts';
import { renderSvg } from './render-svg.ts';
import { selectAround } from './select-around.ts';
import { buildLineageForest } from './tree.ts';
import { visibleText } from './visible-text.ts';

const nameOf = (subject: string) => subject;

/** Hostile text wherever a caller, a token or a server has a say. */
function hostileEntry(text: string): LineageEntry {
  const { decision } = entryOf();
  return entryOf(
    {
      id: text,
      parent: idOf(1),
      decision: {
        tool: text,
        agent: text,
        artifact: {
          digest: `sha256:${'a'.repeat(64)}`,
          issuer: text,
          tokenIds: [text, text],
          tokenHashes: ['h1', 'h2'],
          holders: [text, text],
          initiator: { id: text, kind: text },
          purpose: text,
        },
        policy: { id: text, digest: `sha256:${'b'.repeat(64)}`, determining: [text] },
        governance: decision.governance,
      },
    },
    {
      subjectsOf: () => [text],
      publicationOf: () => ({ actor: text, atSeconds: 1, index: 0 }),
      issuanceOf: () => ({ actor: text, atSeconds: 1, index: 0 }),
    },
  );
}

function draw(entries: readonly LineageEntry[], focus = idOf(1), remark?: string) {
  const { relations } = selectAround(entries, focus, 1000);
  const picture = { nameOf, relations, ...(remark === undefined ? {} : { remark }) };
  const forest = buildLineageForest(entries);
  return { svg: renderSvg(forest, picture), dot: renderDot(forest, picture) };
}

/** Tags and text of XML as `[tag or '', text]`; throws where it is not well-formed. */
function tokensOf(xml: string): { tags: string[]; text: string } {
  const open: string[] = [];
  const tags: string[] = [];
  let text = '';
  const rest = xml.replace(
    /<(\/?)([a-zA-Z]+)((?: [a-zA-Z:-]+="[^"<>&]*")*)(\/?)>|([^<>]+)/g,
    (_, close: string, tag: string, __, empty: string, characters: string) => {
      if (characters !== undefined) text += characters;
      else {
        tags.push(tag);
        if (close === '/') expect(open.pop()).toBe(tag);
        else if (empty !== '/') open.push(tag);
      }
      return '';
    },
  );
  expect(rest).toBe('');
  expect(open).toEqual([]);
  expect(text.replace(/&(amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return { tags, text: text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '') };
}

describe('the SVG', () => {
  it.each(HOSTILE)('is only shapes and text, whatever it is told: %j', (hostile) => {
    const { svg } = draw([entryOf(), hostileEntry(hostile)], idOf(1), hostile);
    const { tags, text } = tokensOf(svg);
    expect(new Set(tags)).toEqual(
      new Set(['svg', 'title', 'style', 'clipPath', 'rect', 'path', 'g', 'text']),
    );
    expect(text).toContain(visibleText(hostile));
    expect(svg).not.toMatch(/ on[a-z]+="|href|javascript:|url\((?!#card\))|<!|\p{Cf}|\p{Cs}/u);
    expect(svg.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  it('marks what is asked about, its kin and others, and what is not as it was signed', () => {
    const changed = entryOf({ id: idOf(3), parent: idOf(2), root: idOf(1) });
    const entries = [
      entryOf({ id: idOf(1) }),
      entryOf({ id: idOf(2), parent: idOf(1) }),
      { ...changed, verification: { decision: 'mismatch', signedSize: 9 } as const },
      entryOf({ id: idOf(4), parent: idOf(1), decision: { verdict: 'deny', code: 'policy.forbidden' } }),
    ];
    const { svg } = draw(entries, idOf(2));
    expect(svg.match(/class="card \w+ self"/g)).toHaveLength(1);
    expect(svg.match(/class="edge kin"/g)).toHaveLength(2);
    expect(svg.match(/class="edge"/g)).toHaveLength(1);
    expect(svg.match(/class="other"/g)).toHaveLength(1);
    expect(svg).toContain('NOT as signed');
    expect(svg).toContain('policy.forbidden');
    expect(svg).toContain('prefers-color-scheme:dark');
  });

  it('has every card in its ground, and none over another', () => {
    const entries = Array.from({ length: 300 }, (_, index) =>
      entryOf({
        id: idOf(index + 1),
        ...(index === 0 ? {} : { parent: idOf(1 + Math.floor((index - 1) / 3)) }),
      }),
    );
    const { svg } = draw(entries);
    const [, width, height] = (/viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? []).map(Number);
    const places = [...svg.matchAll(/translate\(([\d.-]+) ([\d.-]+)\)/g)].map(
      ([, x, y]) => [Number(x), Number(y)] as const,
    );
    expect(places).toHaveLength(300);
    for (const [x, y] of places) {
      expect(x >= 0 && y >= 0 && x + 370 <= Number(width) && y + 118 <= Number(height)).toBe(true);
    }
    const columns = Map.groupBy(places, ([x]) => x);
    for (const column of columns.values()) {
      const tops = column.map(([, y]) => y).sort((left, right) => left - right);
      for (const [index, top] of tops.entries())
        expect(top - (tops[index - 1] ?? -1000)).toBeGreaterThanOrEqual(118);
    }
  });
});

describe('the DOT', () => {
  it.each(HOSTILE)('keeps everything in quotes, whatever it is told: %j', (hostile) => {
    const { dot } = draw([entryOf(), hostileEntry(hostile)], idOf(1), hostile);
    expect(dot).not.toMatch(/\p{Cf}|\p{Cs}/u);
    const outside = dot.replace(/"(?:[^"\\]|\\.)*"/g, '""');
    expect(outside).toBe(
      [
        'digraph lineage {',
        '  rankdir=LR;',
        '  node [shape=box, style="", fillcolor="", fontname="", fontsize=10];',
        '  label="";',
        '  "" [label="", color="", penwidth=3];',
        '  "" [label="", color=""];',
        '  "" -> "";',
        '}',
        '',
      ].join('\n'),
    );
    // Graphviz' own escapes: none but the line ends we write.
    for (const [, escaped] of dot.matchAll(/\\(.)/g)) expect(['\\', '"', 'l']).toContain(escaped);
  });
});
