import { type Denial, deny } from '../denial/index.ts';
import { type EvidenceKey, executionSalt, serializeReceipt } from '../receipt/index.ts';
import { type Log, leafHash } from '../tlog/index.ts';
import type { Clock } from './clock.ts';
import type { ExecutionEnd } from './execution.ts';
import { readExecution } from './execution-record.ts';
import { outcomeReceiptOf } from './receipts.ts';

export interface LateOutcomePorts {
  readonly log: Log;
  readonly origin: string;
  readonly evidenceKey: EvidenceKey;
  readonly clock: Clock;
}

/** After this nobody says any more how an execution ended: it is of unknown outcome. */
const MAX_LATE_SECONDS = 86_400;
const MAX_ID_CHARACTERS = 64;

/**
 * Records the outcome of an execution that was left by who asked for it (`OpenExecution.leave`), durably.
 *
 * INVARIANT: only of a permit in this log that has no outcome, and only once: the id is consumed in the transaction that
 * records it. Whoever calls makes sure that the execution does not run here, and that earlier outcomes are durable.
 */
export async function recordLateOutcome(
  { log, origin, evidenceKey, clock }: LateOutcomePorts,
  executionId: string,
  { status, note, evidence }: ExecutionEnd,
): Promise<Denial | undefined> {
  const record = executionId.length > MAX_ID_CHARACTERS ? undefined : readExecution(log, executionId);
  const [entry] = record === undefined ? [] : log.read(record.decisionIndex, 1);
  if (record?.decision.verdict !== 'permit' || entry === undefined) {
    return deny('request.malformed', 'no such execution was permitted here');
  }
  if (log.lookup(`outcome:${executionId}`).length > 0) {
    return deny('replay.detected', 'the execution has an outcome already');
  }
  const atMs = clock.wallMs();
  const ageMs = Math.max(0, atMs - record.decision.atMs);
  if (ageMs > MAX_LATE_SECONDS * 1000) return deny('request.malformed', 'it is too late for an outcome');
  const receipt = outcomeReceiptOf({
    id: executionId,
    atMs,
    log: origin,
    salt: executionSalt(evidenceKey, executionId),
    decisionIndex: record.decisionIndex,
    decisionLeafHash: leafHash(entry),
    durationMs: ageMs,
    status,
    ...(note === undefined ? {} : { note }),
    ...(evidence === undefined ? {} : { result: evidence }),
  });
  try {
    const appended = await log.append({
      entry: serializeReceipt(receipt),
      keys: [`outcome:${executionId}`],
      consume: {
        id: `outcome:${executionId}`,
        expiresAtSeconds: Math.ceil(atMs / 1000) + 2 * MAX_LATE_SECONDS,
      },
    });
    if (appended.kind === 'appended') return undefined;
    return deny('replay.detected', 'the execution has an outcome already');
  } catch {
    return deny('log.unavailable', 'the outcome could not be recorded');
  }
}
