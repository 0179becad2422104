import { isJsonObject, type JsonValue, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial, isReasonCode, type ReasonCode } from '../denial/index.ts';
import type { SaltedDigest } from './decision-receipt.ts';
import { isPreview, type Preview } from './preview.ts';

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

/** How a process ended and what it used, all of its children counted in. Whole numbers. */
export interface ProcessFacts {
  /** As shells have it: 128 and the signal's number where one ended it. Absent where it did not end by itself. */
  readonly exitCode?: number;
  readonly memoryPeakBytes?: number;
  readonly cpuMs?: number;
  /** Set where the kernel killed for want of memory. */
  readonly outOfMemory?: true;
  /** Of one that was granted a network. */
  readonly network?: readonly NetworkFacts[];
}

/** What a process did with the network at one destination; `*` for all that are not told apart. */
export type NetworkFacts = {
  /** `host:port` */
  readonly to: string;
  /** Connections made, and refused. */
  readonly allowed: number;
  readonly refused: number;
  /** As the process sees it: what it sent, what it got. */
  readonly bytesOut: number;
  readonly bytesIn: number;
};

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
  /** Why it was terminated. */
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

const MAX_DESTINATIONS = 128;
const NETWORK_NUMBERS = ['allowed', 'refused', 'bytesOut', 'bytesIn'];
const PROCESS_NUMBERS = ['exitCode', 'memoryPeakBytes', 'cpuMs'];

export function isProcessFacts(value: JsonValue): boolean {
  return (
    isJsonObject(value) &&
    Object.entries(value).every(([name, fact]) => {
      if (name === 'outOfMemory') return fact === true;
      if (name === 'network') return isNetwork(fact);
      return PROCESS_NUMBERS.includes(name) && isCount(fact);
    })
  );
}

function isNetwork(value: JsonValue): boolean {
  return (
    Array.isArray(value) &&
    value.length <= MAX_DESTINATIONS &&
    value.every(
      (facts) =>
        isJsonObject(facts) &&
        typeof facts.to === 'string' &&
        Object.keys(facts).length === NETWORK_NUMBERS.length + 1 &&
        NETWORK_NUMBERS.every((name) => isCount(facts[name])),
    )
  );
}

function isCount(value: JsonValue | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
