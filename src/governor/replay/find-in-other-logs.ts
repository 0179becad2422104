import type { GovernanceState } from '../../governance/index.ts';
import type { ParentFact } from '../../lineage/index.ts';
import type { LogReader } from '../../tlog/index.ts';
import { readExecution } from '../execution-record.ts';
import { parentFactOf } from '../parent-fact.ts';

/** How long an outcome may have been on its way to another log when it was decided here. */
const SETTLED_MS = 5000;

/**
 * An execution of one of the other logs of a domain, as it stood at a time.
 *
 * @param own name of the log that is not searched.
 */
export function findInOtherLogs(
  logs: ReadonlyMap<string, LogReader>,
  own: string,
  executionId: string,
  atMs: number,
  governance: GovernanceState,
): ParentFact | undefined {
  for (const [name, log] of logs) {
    if (name === own) continue;
    const record = readExecution(log, executionId);
    const fact = record === undefined ? undefined : parentFactOf(log, executionId, governance);
    if (record === undefined || fact === undefined || record.decision.atMs > atMs) continue;
    const ended = record.outcome !== undefined && record.outcome.atMs + SETTLED_MS <= atMs;
    return { ...fact, terminated: fact.terminated && ended };
  }
  return undefined;
}
