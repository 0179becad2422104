import { type AppendRequest, MAX_ENTRY_BYTES } from '../tlog/index.ts';

const MAX_KEYS = 64;
const MAX_KEY_CHARACTERS = 1_024;
const MAX_COUNTERS = 64;
const MAX_EVIDENCE_BLOBS = 64;
const MAX_EVIDENCE_BYTES = 16 * 1024 * 1024;

/**
 * Refuses a request no driver may see: what is out of bounds here is the caller's mistake, not a state of the log.
 * @throws TypeError saying which member is wrong.
 */
export function checkAppendRequest(request: AppendRequest): void {
  const { entry, keys = [], consume, counters = [], evidence = [] } = request;
  check(entry instanceof Uint8Array && entry.byteLength <= MAX_ENTRY_BYTES, 'entry has at most 65535 bytes');
  check(keys.length <= MAX_KEYS && keys.every(isKey), 'keys are at most 64 names');
  if (consume !== undefined) {
    check(isKey(consume.id), 'consume.id is a name');
    check(isTime(consume.expiresAtSeconds), 'consume.expiresAtSeconds is a time');
  }
  check(counters.length <= MAX_COUNTERS, 'counters are at most 64');
  for (const { key, limit, amount } of counters) {
    check(
      isKey(key) && isAmount(limit) && isAmount(amount),
      'a counter has a name, a limit and an amount ≥ 0',
    );
  }
  check(evidence.length <= MAX_EVIDENCE_BLOBS, 'evidence is at most 64 blobs');
  for (const { address, bytes } of evidence) {
    check(isKey(address) && bytes instanceof Uint8Array, 'evidence has an address and bytes');
    check(bytes.byteLength <= MAX_EVIDENCE_BYTES, 'evidence has at most 16 MiB');
  }
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new TypeError(`append request: ${rule}`);
}

function isKey(value: string): boolean {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MAX_KEY_CHARACTERS &&
    !value.includes('\0')
  );
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** Seconds that fit the databases' integers with room to spare. */
function isTime(value: number): boolean {
  return Number.isFinite(value) && Math.abs(value) <= 2 ** 48;
}
