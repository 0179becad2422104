import type { LineageReader } from '../governor/index.ts';
import {
  buildLineageForest,
  describeAuthority,
  describeEntry,
  formatLineageTree,
  type LineageEntry,
  type LineageForest,
  type LineageNode,
  lineageJson,
  type Naming,
  type Relation,
  type Row,
  renderDot,
  renderSvg,
} from '../lineage/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseWholeNumber } from './duration.ts';
import { mustFindEntry, namingOf, withLineage } from './lineage-source.ts';
import type { Session } from './session.ts';
import { faint, good, printable, printableJson } from './text.ts';
import { writeOut } from './written-file.ts';

interface Options {
  readonly tail: string;
  readonly max: string;
  readonly format?: string;
  readonly brief?: boolean;
  readonly out?: string;
}

/** What is shown, and what is not. */
interface Shown {
  readonly focus?: string;
  readonly forest: LineageForest<LineageEntry>;
  readonly relations: ReadonlyMap<string, Relation>;
  readonly ancestors: number;
  readonly descendants: number;
  readonly omitted: number;
  readonly repeated: number;
}

const FORMATS = ['tree', 'svg', 'dot', 'json'] as const;

export const define: Define = (command, act) => {
  command
    .description(
      `Draw which execution led to which: one tree for each root, or the tree an execution belongs to, from all logs of
the domain, with its ancestors and descendants marked. Of each execution: where its authority comes from, through whom
it was delegated, which policy decided and who published it, what vouches for its receipt, and how it ended.`,
    )
    .argument('[execution]', 'execution id, as "writ log show" lists it, or "last"')
    .option('--format <format>', 'tree, svg, dot or json', 'tree')
    .option('--out <file>', 'write it to a file (default: stdout)')
    .option('--brief', 'a tree of one line an execution')
    .option('--max <n>', 'how many executions to show at most, nearest first', '1000')
    .option('--tail <n>', 'without an id: how many of the newest decisions to look at', '200')
    .addHelpText(
      'after',
      examples(
        '$ writ lineage show',
        '$ writ lineage show last',
        '$ writ lineage show last --format svg --out lineage.svg',
        '$ writ lineage show last --format dot | dot -Tpng -o lineage.png',
      ),
    )
    .action(act(show));
};

async function show(session: Session, id: string | undefined, options: Options): Promise<void> {
  const { output, surroundings } = session;
  const format = FORMATS.find((known) => known === options.format);
  if (format === undefined) {
    throw usageError(`--format "${options.format}" is none`, `give one of ${FORMATS.join(', ')}`);
  }
  const tail = parseWholeNumber(options.tail, '--tail');
  const max = parseWholeNumber(options.max, '--max', 1);
  const home = await session.openHome();
  const shown = await withLineage(home, session, (reader) =>
    output.during('reading the logs', async () =>
      id === undefined
        ? newest(reader, Math.min(tail, max))
        : around(reader, mustFindEntry(home, reader, id), max),
    ),
  );
  const naming = namingOf(home);
  const answer = jsonOf(shown);
  if (format !== 'tree' || options.out !== undefined) {
    const text = textOf(format, shown, naming, options.brief === true || id === undefined);
    if (options.out === undefined) {
      output.text(text);
      return;
    }
    const file = writeOut(surroundings.cwd, options.out, [text]);
    const { executions: _, ...counts } = answer;
    output.answer({ file, format, ...counts }, () => {
      output.line(good('wrote '), `${format} of ${countOf(shown)} executions`, faint(`  ${file}`));
      tellMissing(session, shown);
    });
    return;
  }
  output.answer(answer, () => {
    if (shown.forest.roots.length === 0) output.note('no decision has been recorded yet');
    for (const line of treeLines(shown, naming, options.brief === true || id === undefined))
      output.line(line);
    tellMissing(session, shown);
  });
}

function newest(reader: LineageReader, count: number): Shown {
  const forest = buildLineageForest(reader.newest(count), { maxNodes: count });
  const { omitted } = forest;
  return { forest, relations: new Map(), ancestors: 0, descendants: 0, omitted, repeated: 0 };
}

function around(reader: LineageReader, focus: LineageEntry, max: number): Shown {
  const { entries, ...rest } = reader.around(focus, max);
  return { ...rest, focus: focus.executionId, forest: buildLineageForest(entries, { maxNodes: max }) };
}

function jsonOf({ forest, relations, focus, ancestors, descendants, omitted, repeated }: Shown) {
  const executions = lineageJson(forest, relations);
  if (focus === undefined) return { executions, omitted };
  return { execution: focus, ancestors, descendants, executions, omitted, repeated };
}

function textOf(format: (typeof FORMATS)[number], shown: Shown, naming: Naming, brief: boolean): string {
  const remark = missing(shown);
  const picture = { ...naming, relations: shown.relations, ...(remark === undefined ? {} : { remark }) };
  if (format === 'svg') return renderSvg(shown.forest, picture);
  if (format === 'dot') return renderDot(shown.forest, picture);
  if (format === 'json') return `${printableJson(JSON.stringify(jsonOf(shown)))}\n`;
  return `${treeLines(shown, naming, brief).map(printable).join('\n')}\n`;
}

function treeLines({ forest, relations }: Shown, naming: Naming, brief: boolean): string[] {
  return forest.roots.flatMap((root) =>
    formatLineageTree(root, (node, parent) => {
      const head = headOf(node, relations.get(node.fact.executionId));
      if (brief) return head;
      return [
        head,
        ...detailsOf(node.fact, parent?.fact, naming).map(([label, value]) => `${label.padEnd(10)} ${value}`),
      ];
    }),
  );
}

/** What an execution has in common with its parent is not said twice. */
function detailsOf(entry: LineageEntry, parent: LineageEntry | undefined, naming: Naming): readonly Row[] {
  const rows = describeEntry(entry, naming);
  const authority = describeAuthority(entry, naming);
  if (
    parent === undefined ||
    JSON.stringify(authority) !== JSON.stringify(describeAuthority(parent, naming))
  ) {
    return rows;
  }
  const labels = new Set(authority.map(([label]) => label));
  const at = rows.findIndex(([label]) => labels.has(label));
  const others = rows.filter(([label]) => !labels.has(label));
  return others.toSpliced(at, 0, ['authority', 'origin, delegation and policy are its parent’s']);
}

const MARKS: Readonly<Record<Relation, string>> = {
  self: '  ◀ this one',
  ancestor: '  ↑ ancestor',
  descendant: '  ↓ descendant',
};

function headOf({ fact, cut }: LineageNode<LineageEntry>, relation: Relation | undefined): string {
  const { verdict, tool, outcome, executionId, verification } = fact;
  const end = outcome === undefined ? '' : `  ${outcome}`;
  const missingParent =
    cut === 'parent-missing' ? '  (parent not shown)' : cut === 'cycle' ? '  (circular)' : '';
  const changed =
    verification.decision === 'mismatch' || verification.outcome === 'mismatch' ? '  NOT AS SIGNED' : '';
  const mark = relation === undefined ? '' : MARKS[relation];
  return `${verdict === 'permit' ? '✓' : '✗'} ${tool === '' ? '–' : tool}${end}  ${executionId}${mark}${missingParent}${changed}`;
}

function countOf({ forest }: Shown): number {
  return lineageJson(forest, new Map()).length;
}

function missing({ omitted, repeated }: Shown): string | undefined {
  const parts = [
    ...(omitted === 0 ? [] : [`${omitted} more executions are not shown`]),
    ...(repeated === 0
      ? []
      : [`${repeated} receipts repeat the id of another: forged, see "writ log verify"`]),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}

function tellMissing({ output }: Session, shown: Shown): void {
  const remark = missing(shown);
  if (remark !== undefined) output.line(faint(`${remark}${shown.omitted > 0 ? ' (--max shows more)' : ''}`));
}
