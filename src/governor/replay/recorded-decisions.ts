import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseJsonObject } from '../../codec/index.ts';
import { type Denial, isDenial } from '../../denial/index.ts';
import { DECISION_RECEIPT, type DecisionReceipt, parseDecisionReceipt } from '../../receipt/index.ts';
import type { LogReader } from '../../tlog/index.ts';

const READ_BATCH = 256;

/** Called as a log is read: entries done, of all. */
export type OnProgress = (done: number, of: number) => void;

/** One decision of a log; a denial where its entry says it is one and cannot be read. */
export interface RecordedDecision {
  readonly index: number;
  readonly receipt: DecisionReceipt | Denial;
}

/**
 * The decisions of a log in its order, up to the size it has now. A batch is in memory at a time, and between batches
 * others get their turn.
 */
export async function* recordedDecisions(
  log: Pick<LogReader, 'head' | 'read'>,
  onProgress?: OnProgress,
): AsyncGenerator<RecordedDecision> {
  const { size } = log.head();
  for (let start = 0; start < size; start += READ_BATCH) {
    const entries = log.read(start, Math.min(READ_BATCH, size - start));
    for (const [offset, entry] of entries.entries()) {
      const json = parseJsonObject(entry, 'log.unavailable', { maxDepth: 8 });
      if (isDenial(json) || json.type !== DECISION_RECEIPT) continue;
      yield { index: start + offset, receipt: parseDecisionReceipt(entry) };
    }
    onProgress?.(Math.min(start + READ_BATCH, size), size);
    await nextTurn();
  }
}
