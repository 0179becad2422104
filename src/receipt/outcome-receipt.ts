import { isJsonObject, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial, isReasonCode, type ReasonCode } from '../denial/index.ts';
import type { SaltedDigest } from './decision-receipt.ts';
import { isPreview, type Preview } from './preview.ts';
import { isProcessFacts, type ProcessFacts } from './process-facts.ts';

export const OUTCOME_RECEIPT = 'writ/outcome@v1';

/**
 * succeeded, failed: the effect answered; terminated: Writ stopped it; unknown: it may or may not have happened
 * (crash, hang, lost connection), and nobody should retry blindly.
 */
export type OutcomeStatus = 'succeeded' | 'failed' | 'terminated' | 'unknown';

const STATUSES: readonly string[] = [
  'succeeded',
  'failed',
  'terminated',
  'unknown',
] satisfies OutcomeStatus[];

/** The statement that an execution leaves when it ends. Times are integer milliseconds. */
export interface OutcomeReceipt {
  readonly type: typeof OUTCOME_RECEIPT;
  /** Execution id: the `id` of the decision receipt. */
  readonly id: string;
  readonly atMs: number;
  readonly log: string;
  /** Index and leaf hash (base64url) of the permit in the same log. */
  readonly decision: { readonly index: number; readonly leafHash: string };
  readonly status: OutcomeStatus;
  /** Why it was terminated; absent where the operator did that: nothing spoke against it. */
  readonly code?: ReasonCode;
  /** Fixed text that says what happened; never data. */
  readonly note?: string;
  /** What came back, as a salted digest and its size in bytes. */
  readonly result?: { readonly digest: SaltedDigest; readonly bytes: number };
  /** What a redaction rule lets be shown of the result, in clear. */
  readonly preview?: Preview;
  /** Of an effect that was a process. */
  readonly process?: ProcessFacts;
  readonly durationMs: number;
}

export function parseOutcomeReceipt(entry: Uint8Array): OutcomeReceipt | Denial {
  const json = parseJsonObject(entry, 'log.unavailable', { maxBytes: 65_535, maxDepth: 8 });
  if (isDenial(json)) return json;
  const { decision, result, code, note, preview, process } = json;
  const wellFormed =
    json.type === OUTCOME_RECEIPT &&
    typeof json.id === 'string' &&
    typeof json.log === 'string' &&
    Number.isSafeInteger(json.atMs) &&
    typeof json.durationMs === 'number' &&
    typeof json.status === 'string' &&
    STATUSES.includes(json.status) &&
    isJsonObject(decision) &&
    Number.isSafeInteger(decision.index) &&
    typeof decision.leafHash === 'string' &&
    (code === undefined || isReasonCode(code)) &&
    (note === undefined || typeof note === 'string') &&
    (preview === undefined || isPreview(preview)) &&
    (process === undefined || isProcessFacts(process)) &&
    (result === undefined ||
      (isJsonObject(result) && typeof result.digest === 'string' && Number.isSafeInteger(result.bytes)));
  return wellFormed ? (json as unknown as OutcomeReceipt) : deny('log.unavailable', 'not an outcome receipt');
}
