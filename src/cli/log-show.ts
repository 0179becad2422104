import { setTimeout as sleep } from 'node:timers/promises';
import type { Home } from '../governor/index.ts';
import type { DecisionReceipt, OutcomeReceipt } from '../receipt/index.ts';
import type { SqliteLogReader } from '../storage/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import {
  actorOf,
  closeLogs,
  decisionsBackwards,
  decisionsFrom,
  type LoggedDecision,
  openLogs,
} from './decisions.ts';
import { parseWholeNumber } from './duration.ts';
import type { Output } from './output.ts';
import { previewText } from './preview-text.ts';
import type { Session } from './session.ts';
import { bad, faint, good, type Part, warn } from './text.ts';

interface Options {
  readonly log?: string;
  readonly tail: string;
  readonly deny?: boolean;
  readonly permit?: boolean;
  readonly follow?: boolean;
}

const FOLLOW_MS = 300;
const HEAD = ['TIME', 'VERDICT', 'CODE OR OUTCOME', 'TOOL', 'AGENT', 'LOG', 'EXECUTION'];

export const define: Define = (command, act) => {
  command
    .description(
      'List decisions, oldest first: when, permit or deny and why, which tool, who, and the execution id.',
    )
    .option('--log <name>', 'only this log (default: all of the trust domain)')
    .option('--tail <n>', 'how many of the newest', '50')
    .option('--deny', 'only denials')
    .option('--permit', 'only permits')
    .option('--follow', 'go on with new ones as they are recorded (with --json: one object per line)')
    .addHelpText(
      'after',
      examples(
        '$ writ log show --deny --tail 10',
        '$ writ log show --follow',
        '$ writ receipt show <execution>',
      ),
    )
    .action(act(show));
};

async function show(session: Session, options: Options): Promise<void> {
  const { output } = session;
  const tail = parseWholeNumber(options.tail, '--tail');
  if (options.deny === true && options.permit === true) throw usageError('give --deny or --permit, not both');
  const home = await session.openHome();
  const wanted = options.deny === true ? 'deny' : options.permit === true ? 'permit' : undefined;
  const matches = ({ verdict }: DecisionReceipt) => wanted === undefined || verdict === wanted;
  const readers = openLogs(home, options.log, (log) => output.note(unreadable(log)));
  try {
    const sizes = new Map([...readers].map(([log, reader]) => [log, reader.head().size]));
    const decisions = newest(readers, tail, matches);
    if (options.follow === true) {
      for (const decision of decisions) tellOne(output, home, decision);
      return await follow(output, home, options, matches, sizes);
    }
    output.answer({ decisions: decisions.map((decision) => jsonOf(decision)) }, () => {
      if (decisions.length === 0) output.note('no decision has been recorded yet');
      else
        output.table(
          decisions.some((decision) => shownOf(decision) !== '') ? [...HEAD, 'SHOWN'] : HEAD,
          decisions.map((decision) => rowOf(home, decision)),
        );
    });
  } finally {
    closeLogs(readers);
  }
}

function unreadable(log: string): Part {
  return warn(`log ${log} cannot be read: run "writ log verify --log ${log}"`);
}

/** The newest decisions of several logs, oldest first. */
function newest(
  readers: ReadonlyMap<string, SqliteLogReader>,
  count: number,
  matches: (receipt: DecisionReceipt) => boolean,
): LoggedDecision[] {
  const found: LoggedDecision[] = [];
  for (const [log, reader] of readers) {
    let taken = 0;
    if (count === 0) break;
    for (const decision of decisionsBackwards(log, reader, matches)) {
      found.push(decision);
      taken += 1;
      if (taken === count) break;
    }
  }
  found.sort((left, right) => left.receipt.atMs - right.receipt.atMs || left.index - right.index);
  return count === 0 ? [] : found.slice(-count);
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
