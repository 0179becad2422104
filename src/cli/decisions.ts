import { isDenial } from '../denial/index.ts';
import type { Home } from '../governor/index.ts';
import { listExecutionLogs, withOutcome } from '../governor/index.ts';
import { type DecisionReceipt, type OutcomeReceipt, parseDecisionReceipt } from '../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import { failure } from './cli-error.ts';

/** A decision as a log holds it. */
export interface LoggedDecision {
  readonly log: string;
  readonly index: number;
  readonly receipt: DecisionReceipt;
  readonly outcome?: Pick<OutcomeReceipt, 'status' | 'preview'>;
}

const BATCH = 512;

/**
 * The logs a command reads: the one named, or all there are. One that cannot be read ends the command, or is passed over
 * where `onUnreadable` says so. The caller closes the readers.
 */
export function openLogs(
  home: Home,
  named: string | undefined,
  onUnreadable?: (log: string) => void,
): ReadonlyMap<string, SqliteLogReader> {
  const names = listExecutionLogs(home);
  if (named !== undefined && !names.includes(named)) {
    const known = names.length === 0 ? 'there is none yet' : `there are: ${names.join(', ')}`;
    throw failure('not_found', `there is no log ${named}`, known);
  }
  const readers = new Map<string, SqliteLogReader>();
  for (const name of named === undefined ? names : [named]) {
    try {
      readers.set(name, openSqliteLogReader(home.executionLogFolder(name)));
    } catch (error) {
      if (named === undefined && onUnreadable !== undefined) {
        onUnreadable(name);
        continue;
      }
      closeLogs(readers);
      const reason = error instanceof Error ? error.message : 'unknown error';
      throw failure(
        'log.unavailable',
        `log ${name} cannot be read: ${reason}`,
        `run "writ log verify --log ${name}"`,
      );
    }
  }
  return readers;
}

export function closeLogs(readers: ReadonlyMap<string, SqliteLogReader>): void {
  for (const reader of readers.values()) reader.close();
}

/** The last decisions of a log that match, newest first, without reading more of it than that takes. */
export function* decisionsBackwards(
  log: string,
  reader: SqliteLogReader,
  matches: (receipt: DecisionReceipt) => boolean = () => true,
): Generator<LoggedDecision> {
  for (let end = reader.head().size; end > 0; end -= BATCH) {
    const start = Math.max(0, end - BATCH);
    const entries = reader.read(start, end - start);
    for (const [offset, entry] of [...entries.entries()].reverse()) {
      const decision = decisionOf(log, reader, start + offset, entry, matches);
      if (decision !== undefined) yield decision;
    }
  }
}

/** Decisions from an index on, oldest first. */
export function* decisionsFrom(
  log: string,
  reader: SqliteLogReader,
  start: number,
  matches: (receipt: DecisionReceipt) => boolean = () => true,
): Generator<LoggedDecision> {
  const { size } = reader.head();
  for (let from = start; from < size; from += BATCH) {
    const entries = reader.read(from, Math.min(BATCH, size - from));
    for (const [offset, entry] of entries.entries()) {
      const decision = decisionOf(log, reader, from + offset, entry, matches);
      if (decision !== undefined) yield decision;
    }
  }
}

function decisionOf(
  log: string,
  reader: SqliteLogReader,
  index: number,
  entry: Uint8Array,
  matches: (receipt: DecisionReceipt) => boolean,
): LoggedDecision | undefined {
  const receipt = parseDecisionReceipt(entry);
  return isDenial(receipt) || !matches(receipt) ? undefined : withOutcome(reader, { log, index, receipt });
}

/** Who acted, as short as it is unambiguous: the agent's name in this domain, its URI, or its key. */
export function actorOf(home: Home, { agent, artifact }: DecisionReceipt): string {
  if (agent !== undefined)
    return agent.startsWith(home.agent('')) ? agent.slice(home.agent('').length) : agent;
  return artifact?.holders.at(-1) ?? '–';
}
