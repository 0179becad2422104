import { readdirSync } from 'node:fs';
import { isDenial } from '../denial/index.ts';
import {
  type DecisionReceipt,
  type OutcomeReceipt,
  parseDecisionReceipt,
  parseOutcomeReceipt,
} from '../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import type { LogReader } from '../tlog/index.ts';
import { openGovernanceFollower } from './governance-follower.ts';
import { type Home, isLocalName } from './home.ts';

/** What a log holds about one execution. */
export interface ExecutionRecord {
  readonly decisionIndex: number;
  readonly decision: DecisionReceipt;
  /** Absent while it runs, after a denial, and after a crash. */
  readonly outcomeIndex?: number;
  readonly outcome?: OutcomeReceipt;
}

/** Names of the execution logs of a domain, sorted. */
export function listExecutionLogs(home: Home): string[] {
  try {
    return readdirSync(home.executionFolder).filter(isLocalName).sort();
  } catch {
    return [];
  }
}

/** What one log holds about an execution; undefined where it does not know it, or knows it twice (a forgery). */
export function readExecution(log: LogReader, executionId: string): ExecutionRecord | undefined {
  const [decisionIndex, ...others] = log.lookup(`execution:${executionId}`);
  if (decisionIndex === undefined || others.length > 0) return undefined;
  const [entry] = log.read(decisionIndex, 1);
  const decision = entry === undefined ? undefined : parseDecisionReceipt(entry);
  if (decision === undefined || isDenial(decision) || decision.id !== executionId) return undefined;
  const [outcomeIndex] = log.lookup(`outcome:${executionId}`);
  const [outcomeEntry] = outcomeIndex === undefined ? [] : log.read(outcomeIndex, 1);
  const outcome = outcomeEntry === undefined ? undefined : parseOutcomeReceipt(outcomeEntry);
  return {
    decisionIndex,
    decision,
    ...(outcomeIndex === undefined || outcome === undefined || isDenial(outcome)
      ? {}
      : { outcomeIndex, outcome }),
  };
}

/**
 * Looks an execution up in the logs the domain has enrolled; where what is enrolled cannot be verified, in all that are
 * there. The caller closes the reader.
 */
export function findExecution(
  home: Home,
  executionId: string,
): { readonly log: string; readonly reader: SqliteLogReader; readonly record: ExecutionRecord } | undefined {
  for (const log of enrolledLogs(home)) {
    let reader: SqliteLogReader;
    try {
      reader = openSqliteLogReader(home.executionLogFolder(log));
    } catch {
      continue;
    }
    const record = readQuietly(reader, executionId);
    if (record !== undefined) return { log, reader, record };
    reader.close();
  }
  return undefined;
}

/** A folder that somebody put there is no log of the domain, whatever it says and however its name sorts. */
function enrolledLogs(home: Home): string[] {
  const logs = listExecutionLogs(home);
  const follower = openGovernanceFollower(home);
  if (isDenial(follower)) return logs;
  follower.close();
  const { state } = follower.view;
  return logs.filter((log) => state.logByOrigin(home.executionOrigin(log)) !== undefined);
}

/** A damaged log says nothing here; `writ log verify` tells what is wrong with it. */
function readQuietly(reader: SqliteLogReader, executionId: string): ExecutionRecord | undefined {
  try {
    return readExecution(reader, executionId);
  } catch {
    return undefined;
  }
}
