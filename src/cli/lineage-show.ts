import type { Home } from '../governor/index.ts';
import {
  buildLineageForest,
  type ExecutionFact,
  formatLineageTree,
  type LineageForest,
  type LineageNode,
} from '../lineage/index.ts';
import type { DecisionReceipt } from '../receipt/index.ts';
import type { SqliteLogReader } from '../storage/index.ts';
import { type Define, examples } from './command.ts';
import { closeLogs, decisionsBackwards, decisionsFrom, type LoggedDecision, openLogs } from './decisions.ts';
import { parseWholeNumber } from './duration.ts';
import { lastExecution, mustFindExecution } from './receipt-show.ts';
import type { Session } from './session.ts';
import { faint } from './text.ts';

interface Options {
  readonly tail: string;
}

const MAX_NODES = 10_000;

export const define: Define = (command, act) => {
  command
    .description(
      'Draw which execution led to which: one tree for each root, or only the tree an execution belongs to.',
    )
    .argument('[execution]', 'execution id, or "last"')
    .option('--tail <n>', 'without an id: how many of the newest decisions to look at', '200')
    .addHelpText('after', examples('$ writ lineage show', '$ writ lineage show last --json'))
    .action(act(show));
};

async function show(session: Session, id: string | undefined, options: Options): Promise<void> {
  const { output } = session;
  const tail = parseWholeNumber(options.tail, '--tail');
  const home = await session.openHome();
  const facts =
    id === undefined ? newestFacts(home, tail) : factsAround(home, id === 'last' ? lastExecution(home) : id);
  const forest = buildLineageForest(facts, { maxNodes: MAX_NODES });
  output.answer(jsonOfForest(forest), () => {
    if (forest.roots.length === 0) output.note('no decision has been recorded yet');
    for (const root of forest.roots) for (const line of formatLineageTree(root, label)) output.line(line);
    if (forest.omitted > 0) output.line(faint(`${forest.omitted} more are not drawn`));
  });
}

function newestFacts(home: Home, tail: number): ExecutionFact[] {
  return withLogs(home, (readers) => {
    const newest: LoggedDecision[] = [];
    for (const [log, reader] of readers) {
      let taken = 0;
      for (const decision of decisionsBackwards(log, reader)) {
        if (taken === tail) break;
        newest.push(decision);
        taken += 1;
      }
    }
    newest.sort((left, right) => right.receipt.atMs - left.receipt.atMs);
    return newest.slice(0, tail).map(factOf);
  });
}

/** Every execution under the root that one belongs to. */
function factsAround(home: Home, id: string): ExecutionFact[] {
  const { record, reader: own } = mustFindExecution(home, id);
  own.close();
  const root = record.decision.lineage?.root ?? id;
  const isOfTree = ({ id: other, lineage }: DecisionReceipt) => (lineage?.root ?? other) === root;
  return withLogs(home, (readers) =>
    [...readers].flatMap(([log, reader]) => [...decisionsFrom(log, reader, 0, isOfTree)].map(factOf)),
  );
}

function withLogs<T>(home: Home, use: (readers: ReadonlyMap<string, SqliteLogReader>) => T): T {
  const readers = openLogs(home, undefined);
  try {
    return use(readers);
  } finally {
    closeLogs(readers);
  }
}

function factOf({ receipt, outcome }: LoggedDecision): ExecutionFact {
  const { id, verdict, tool, code, lineage } = receipt;
  const end = outcome?.status ?? code;
  return {
    executionId: id,
    rootExecutionId: lineage?.root ?? id,
    verdict,
    tool,
    ...(lineage?.parent === undefined ? {} : { parentId: lineage.parent }),
    ...(end === undefined ? {} : { outcome: end }),
  };
}

function label({ fact, cut }: LineageNode): string {
  const { verdict, tool, outcome, executionId } = fact;
  const end = outcome === undefined ? '' : `  ${outcome}`;
  const missing = cut === 'parent-missing' ? '  (parent not shown)' : cut === 'cycle' ? '  (circular)' : '';
  return `${verdict === 'permit' ? '✓' : '✗'} ${tool === '' ? '–' : tool}${end}  ${executionId}${missing}`;
}

/** Flat, in drawing order: JSON nested as deep as a log says would be nobody's friend. */
function jsonOfForest({ roots, omitted }: LineageForest): object {
  const executions: object[] = [];
  const open = roots.toReversed().map((node) => ({ node, depth: 0 }));
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { node, depth } = item;
    const { executionId, parentId, rootExecutionId, verdict, tool, outcome } = node.fact;
    executions.push({
      execution: executionId,
      parent: parentId ?? null,
      root: rootExecutionId,
      depth,
      verdict,
      tool,
      outcome: outcome ?? null,
      ...(node.cut === undefined ? {} : { cut: node.cut }),
    });
    for (const child of node.children.toReversed()) open.push({ node: child, depth: depth + 1 });
  }
  return { executions, omitted };
}
