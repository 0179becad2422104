import { type HierarchyPointNode, hierarchy, tree } from 'd3-hierarchy';
import { describeEnd, describeEntry, holderOf, timeOf } from './describe-entry.ts';
import type { LineageEntry } from './lineage-entry.ts';
import type { Picture } from './render-dot.ts';
import type { LineageForest, LineageNode } from './tree.ts';
import { visibleText } from './visible-text.ts';

const CARD = { width: 370, height: 118 };
const GAP = { across: 70, along: 18 };
const MARGIN = 24;
const LINE = 17;
const MAX_LINE = 60;
const MAX_TITLE = 400;

/** Stands over the roots of a forest; it is not drawn. */
type Drawn = {
  readonly children: readonly LineageNode<LineageEntry>[];
  readonly node?: LineageNode<LineageEntry>;
};

/** No style reaches out of it: the picture loads nothing and has no script. Colours follow the reader's light or dark. */
const STYLE = `
.ground{fill:#ffffff}.card{fill:#f6f8fa;stroke:#8c959f}.permit{stroke:#1a7f37}.deny{stroke:#cf222e}.bad{fill:#cf222e}
.self{stroke-width:4}.other{opacity:.55}.edge{fill:none;stroke:#8c959f;stroke-width:1.5}.kin{stroke:#0969da;stroke-width:3}
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2328}
.strong{font-weight:bold}.faint{fill:#59636e}
@media (prefers-color-scheme:dark){.ground{fill:#0d1117}.card{fill:#161b22;stroke:#8b949e}.permit{stroke:#3fb950}
.deny{stroke:#f85149}.bad{fill:#f85149}.edge{stroke:#8b949e}.kin{stroke:#58a6ff}text{fill:#e6edf3}.faint{fill:#9198a1}}
`;

/** A lineage as an SVG that stands alone: a tree from left to right, one card an execution, all of it in its tooltip. */
export function renderSvg({ roots }: LineageForest<LineageEntry>, picture: Picture): string {
  const top = hierarchy<Drawn>({ children: roots }, ({ children, node }) =>
    (node?.children ?? children).map((child) => ({ node: child, children: [] })),
  );
  const laidOut = tree<Drawn>()
    .nodeSize([CARD.height + GAP.along, CARD.width + GAP.across])
    .separation(() => 1)(top);
  const nodes = laidOut.descendants().filter(({ data }) => data.node !== undefined);
  const least = nodes.reduce((least, { x }) => Math.min(least, x), 0);
  const most = nodes.reduce((most, { x }) => Math.max(most, x), 0);
  const deepest = nodes.reduce((deepest, { depth }) => Math.max(deepest, depth), 1);
  const width = deepest * (CARD.width + GAP.across) - GAP.across + 2 * MARGIN;
  const height = most - least + CARD.height + 2 * MARGIN + (picture.remark === undefined ? 0 : 2 * LINE);
  const place = ({ depth, x }: HierarchyPointNode<Drawn>) => ({
    left: MARGIN + (depth - 1) * (CARD.width + GAP.across),
    top: MARGIN + x - least,
  });
  const edges = nodes.flatMap((node) => edgeTo(node, place, picture));
  const cards = nodes.map((node) => cardOf(node, place(node), picture));
  const remark =
    picture.remark === undefined
      ? []
      : [textLine(MARGIN, height - MARGIN, 'faint', visibleText(picture.remark, MAX_TITLE))];
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>Lineage: ${nodes.length} executions</title>`,
    `<style>${STYLE}</style>`,
    `<clipPath id="card"><rect width="${CARD.width - 10}" height="${CARD.height}"/></clipPath>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...edges,
    ...cards,
    ...remark,
    '</svg>',
  ].join('\n')}\n`;
}

type Place = (node: HierarchyPointNode<Drawn>) => { readonly left: number; readonly top: number };

function edgeTo(node: HierarchyPointNode<Drawn>, place: Place, { relations }: Picture): string[] {
  const { parent, data } = node;
  if (parent?.data.node === undefined || data.node === undefined) return [];
  const from = place(parent);
  const to = place(node);
  const [x1, y1] = [from.left + CARD.width, from.top + CARD.height / 2];
  const [x2, y2] = [to.left, to.top + CARD.height / 2];
  const middle = (x1 + x2) / 2;
  const kin = [parent.data.node, data.node].every(({ fact }) => relations.has(fact.executionId));
  return [
    `<path class="edge${kin ? ' kin' : ''}" d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"/>`,
  ];
}

function cardOf(
  { data: { node } }: HierarchyPointNode<Drawn>,
  { left, top }: { readonly left: number; readonly top: number },
  picture: Picture,
): string {
  if (node === undefined) return '';
  const { fact, cut } = node;
  const { relations, nameOf } = picture;
  const relation = relations.get(fact.executionId);
  const kin = relation === undefined ? '' : ` · ${relation === 'self' ? 'this one' : relation}`;
  const { origin, policy, verification } = fact;
  const levels = verification.outcome === undefined ? [] : [verification.outcome];
  const mismatch = [verification.decision, ...levels].includes('mismatch');
  const lines: readonly (readonly [style: string, text: string])[] = [
    ['strong', `${fact.verdict === 'permit' ? '✓' : '✗'} ${fact.tool === '' ? '–' : fact.tool}`],
    [
      fact.verdict === 'permit' ? '' : 'bad',
      `${fact.decision.code ?? fact.end?.status ?? 'no outcome recorded'}${kin}`,
    ],
    ['', fact.delegations.map((link) => holderOf(link, nameOf)).join(' → ') || 'no artifact that verifies'],
    [
      'faint',
      origin === undefined
        ? ''
        : `from ${nameOf(origin.issuer)}${origin.initiator ? ` for ${nameOf(origin.initiator.id)}` : ''}`,
    ],
    [
      mismatch ? 'bad' : 'faint',
      `${policy === undefined ? '' : `policy ${policy.id} · `}${mismatch ? 'NOT as signed' : verification.decision} · ${fact.log} #${fact.index}`,
    ],
    ['faint', fact.executionId],
  ];
  const title = [
    `${fact.verdict} ${fact.tool}`,
    `execution  ${fact.executionId}`,
    ...describeEntry(fact, picture).map(([label, value]) => `${label}  ${value}`),
    ...(cut === undefined ? [] : [cut]),
    `ended  ${fact.end === undefined ? describeEnd(fact) : timeOf(fact.end.atMs)}`,
  ];
  return [
    `<g transform="translate(${left} ${top})"${relation === undefined && relations.size > 0 ? ' class="other"' : ''}>`,
    `<title>${title.map((line) => escapeXml(visibleText(line, MAX_TITLE))).join('\n')}</title>`,
    `<rect class="card ${fact.verdict}${relation === 'self' ? ' self' : ''}" width="${CARD.width}" height="${CARD.height}" rx="8"/>`,
    '<g clip-path="url(#card)">',
    ...lines.map(([style, text], row) => textLine(12, 22 + row * LINE, style, visibleText(text, MAX_LINE))),
    '</g></g>',
  ].join('\n');
}

function textLine(x: number, y: number, style: string, text: string): string {
  return `<text x="${x}" y="${y}"${style === '' ? '' : ` class="${style}"`}>${escapeXml(text)}</text>`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
