import { setTimeout as sleep } from 'node:timers/promises';
import type { Home } from '../governor/index.ts';
import { type DecisionReceipt, matchesFilters, type OutcomeReceipt } from '../receipt/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { actorOf, closeLogs, decisionsFrom, type LoggedDecision, openLogs } from './decisions.ts';
import { parseWholeNumber } from './duration.ts';
import { IndexedDecisions, type Listing } from './indexed-decisions.ts';
import type { Output } from './output.ts';
import { previewText } from './preview-text.ts';
import { addFilterOptions, type FilterOptions, filtersOf, isFiltered } from './receipt-filters.ts';
import type { Session } from './session.ts';
import { bad, faint, good, type Part, warn } from './text.ts';

interface Options extends FilterOptions {
  readonly log?: string;
  readonly tail?: string;
  readonly limit?: string;
  readonly cursor?: string;
  readonly oldestFirst?: boolean;
  readonly follow?: boolean;
}

const FOLLOW_MS = 300;
const DEFAULT_COUNT = '50';
const HEAD = ['TIME', 'VERDICT', 'CODE OR OUTCOME', 'TOOL', 'AGENT', 'LOG', 'EXECUTION'];

export const define: Define = (command, act) => {
  addFilterOptions(
    command
      .description(
        `List decisions: when, permit or deny and why, which tool, who, and the execution id. By default the newest, in the
order they were made; with --limit page by page, each page naming the next.`,
      )
      .option('--log <name>', 'only this log (default: all of the trust domain)')
      .option('--tail <n>', `how many of the newest (default: ${DEFAULT_COUNT})`),
  )
    .option('--limit <n>', 'a page of so many, newest first (1000 at most)')
    .option('--oldest-first', 'pages from the oldest on')
    .option('--cursor <cursor>', 'the page after the one that gave this cursor; it brings its filters along')
    .option('--follow', 'go on with new ones as they are recorded (with --json: one object per line)')
    .addHelpText(
      'after',
      examples(
        '$ writ log show --deny --tail 10',
        '$ writ log show --agent planner --since 7d --code scope.tool_not_granted',
        '$ writ log show --artifact 01a2… --limit 100 --json',
        '$ writ log show --follow',
        '$ writ receipt show <execution>',
      ),
    )
    .action(act(show));
};

async function show(session: Session, options: Options): Promise<void> {
  const { output } = session;
  checkTogether(options);
  const home = await session.openHome();
  const filters = filtersOf(options, home, session.surroundings.clockMs());
  const source = IndexedDecisions.open(home, options.log, (log) => output.note(unreadable(log)));
  let listing: Listing;
  try {
    await source.catchUp(output);
    if (options.cursor !== undefined || options.limit !== undefined || options.oldestFirst === true) {
      const limit = parseWholeNumber(options.limit ?? DEFAULT_COUNT, '--limit', 1);
      const order = options.oldestFirst === true ? 'oldest-first' : 'newest-first';
      const { cursor } = options;
      listing = await source.page(cursor === undefined ? { filters, order, limit } : { cursor, limit });
    } else {
      listing = await source.newest(filters, parseWholeNumber(options.tail ?? DEFAULT_COUNT, '--tail'));
    }
  } finally {
    source.close();
  }
  const { decisions, next, sizes } = listing;
  if (options.follow === true) {
    for (const decision of decisions) tellOne(output, home, decision);
    return follow(output, home, options, (receipt) => matchesFilters(receipt, filters), new Map(sizes));
  }
  output.answer({ decisions: decisions.map((decision) => jsonOf(decision)), next: next ?? null }, () => {
    if (decisions.length === 0)
      output.note(isFiltered(filters) ? 'no decision matches' : 'no decision has been recorded yet');
    else
      output.table(
        decisions.some((decision) => shownOf(decision) !== '') ? [...HEAD, 'SHOWN'] : HEAD,
        decisions.map((decision) => rowOf(home, decision)),
      );
    if (next !== undefined) output.note(faint('more: '), `writ log show --cursor ${next}`);
  });
}

function checkTogether(options: Options): void {
  const { cursor, limit, oldestFirst, tail, follow, log } = options;
  const isPaged = cursor !== undefined || limit !== undefined || oldestFirst === true;
  if (isPaged && tail !== undefined)
    throw usageError('give --tail, or --limit with --cursor and --oldest-first');
  if (isPaged && follow === true) throw usageError('--follow goes with --tail, not with pages');
  if (cursor !== undefined && (oldestFirst === true || log !== undefined || isFiltered(options))) {
    throw usageError('a cursor brings filters, logs and order along: give it alone, or with --limit');
  }
}

function unreadable(log: string): Part {
  return warn(`log ${log} cannot be read: run "writ log verify --log ${log}"`);
}

async function follow(
  output: Output,
  home: Home,
  options: Options,
  matches: (receipt: DecisionReceipt) => boolean,
  sizes: Map<string, number>,
): Promise<never> {
  for (;;) {
    await sleep(FOLLOW_MS);
    // Opened each time: logs come and go with their gateways.
    const readers = openLogs(home, options.log, () => undefined);
    try {
      for (const [log, reader] of readers) {
        const { size } = reader.head();
        const seen = sizes.get(log) ?? 0;
        if (size > seen) {
          for (const decision of decisionsFrom(log, reader, seen, matches)) tellOne(output, home, decision);
        }
        sizes.set(log, size);
      }
    } finally {
      closeLogs(readers);
    }
  }
}

function tellOne(output: Output, home: Home, decision: LoggedDecision): void {
  output.answer(jsonOf(decision), () => output.columns(rowOf(home, decision), [24, 7, 30, 44, 12, 8, 36]));
}

/** What receipts show of a call and its result; empty where they show nothing. */
function shownOf({ receipt, outcome }: LoggedDecision): string {
  return [
    ...(receipt.preview ? [previewText(receipt.preview)] : []),
    ...(outcome?.preview ? [`→ ${previewText(outcome.preview)}`] : []),
  ].join('  ');
}

function outcomePart(status: OutcomeReceipt['status'] | undefined): Part {
  if (status === undefined) return faint('no outcome');
  return status === 'succeeded' ? status : warn(status);
}

function rowOf(home: Home, decision: LoggedDecision): readonly Part[] {
  const { log, receipt, outcome } = decision;
  const shown = shownOf(decision);
  const { atMs, verdict, code, tool, id } = receipt;
  return [
    faint(new Date(atMs).toISOString()),
    verdict === 'permit' ? good(verdict) : bad(verdict),
    code ?? outcomePart(outcome?.status),
    tool === '' ? '–' : tool,
    actorOf(home, receipt),
    faint(log),
    id,
    ...(shown === '' ? [] : [faint(shown)]),
  ];
}

function jsonOf({ log, index, receipt, outcome }: LoggedDecision): object {
  const { id, atMs, verdict, code, detail, tool, agent, artifact, lineage } = receipt;
  return {
    time: new Date(atMs).toISOString(),
    verdict,
    code: code ?? null,
    detail: detail ?? null,
    tool,
    agent: agent ?? null,
    holder: artifact?.holders.at(-1) ?? null,
    execution: id,
    parent: lineage?.parent ?? null,
    outcome: outcome?.status ?? null,
    ...(receipt.preview && { preview: receipt.preview }),
    ...(outcome?.preview && { resultPreview: outcome.preview }),
    log,
    index,
  };
}
