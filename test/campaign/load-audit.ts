import { isJsonObject } from '../../src/codec/index.ts';
import type { Home, Outcome } from '../../src/governor/index.ts';
import { DECISION_RECEIPT } from '../../src/receipt/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { runLogVerify } from './kill-world.ts';

const PERMIT = 1;
const DENY = 2;
const READ_AT_ONCE = 2048;

/** What a client was told, decision by decision, to be held against the log. */
export class Acknowledged {
  permits = 0;
  denials = 0;
  /** Answers by reason code; `permit` for none. */
  readonly codes = new Map<string, number>();
  /** Denials that name no receipt: nobody says that they were recorded. */
  readonly unrecorded = new Map<string, number>();
  readonly violations: string[] = [];
  /** By index of the receipt. */
  #verdicts = new Uint8Array(2 ** 20);

  /** @param ran whether the effect was started: then a denial says how it ended, and its receipt is a permit. */
  take(outcome: Outcome<unknown>, ran = outcome.verdict === 'permit'): void {
    const code = outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
    this.takeAnswer(code, outcome.receiptIndex, ran || code === 'permit');
  }

  takeAnswer(code: string, index: number | undefined, isPermit = code === 'permit'): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    if (index === undefined) {
      this.unrecorded.set(code, (this.unrecorded.get(code) ?? 0) + 1);
      return;
    }
    if (isPermit) this.permits += 1;
    else this.denials += 1;
    while (index >= this.#verdicts.length) {
      const larger = new Uint8Array(this.#verdicts.length * 2);
      larger.set(this.#verdicts);
      this.#verdicts = larger;
    }
    if (this.#verdicts[index] !== 0) this.violations.push(`receipt ${index} was given for two answers`);
    this.#verdicts[index] = isPermit ? PERMIT : DENY;
  }

  verdictAt(index: number): 'permit' | 'deny' | undefined {
    const verdict = this.#verdicts[index];
    return verdict === PERMIT ? 'permit' : verdict === DENY ? 'deny' : undefined;
  }
}

export interface LoadAudit {
  readonly entries: number;
  readonly permits: number;
  readonly denials: number;
  /** Outcome receipts by status. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Permits that no outcome follows. */
  readonly open: number;
  /** Decisions in the log that no answer named. */
  readonly unheard: number;
  readonly violations: readonly string[];
}

/**
 * Holds an execution log against what its clients were told: each answer that names a receipt has it, with its verdict. Then
 * what `writ log verify` says of the whole domain, which nothing may write meanwhile.
 */
export function auditLoad(home: Home, log: string, acknowledged: Acknowledged): LoadAudit {
  const violations = [...acknowledged.violations];
  const outcomes: Record<string, number> = {};
  const open = new Set<number>();
  const withdrawable = new Set<number>();
  let permits = 0;
  let denials = 0;
  let unheard = 0;
  let heard = 0;
  const reader = openSqliteLogReader(home.executionLogFolder(log));
  const { size } = reader.head();
  for (let start = 0; start < size; start += READ_AT_ONCE) {
    for (const [offset, entry] of reader.read(start, Math.min(READ_AT_ONCE, size - start)).entries()) {
      const index = start + offset;
      const receipt: unknown = JSON.parse(Buffer.from(entry).toString());
      if (!isJsonObject(receipt)) throw new TypeError(`entry ${index} is no receipt`);
      const told = acknowledged.verdictAt(index);
      if (receipt.type !== DECISION_RECEIPT) {
        const status = String(receipt.status);
        outcomes[status] = (outcomes[status] ?? 0) + 1;
        const decision = isJsonObject(receipt.decision) ? Number(receipt.decision.index) : Number.NaN;
        if (!open.delete(decision)) violations.push(`outcome ${index} follows no open permit`);
        if (status === 'terminated') withdrawable.delete(decision);
        if (told !== undefined)
          violations.push(`receipt ${index} was given for a decision and is an outcome`);
        continue;
      }
      const isPermit = receipt.verdict === 'permit';
      if (isPermit) {
        permits += 1;
        open.add(index);
      } else denials += 1;
      if (told === undefined) unheard += 1;
      else heard += 1;
      if (told === 'permit' && !isPermit) violations.push(`answer ${index} permitted, the log denies`);
      // Withdrawn before its effect started, which its outcome says.
      if (told === 'deny' && isPermit) withdrawable.add(index);
    }
  }
  reader.close();
  for (const index of withdrawable) violations.push(`answer ${index} denied, the log permits`);
  const told = acknowledged.permits + acknowledged.denials;
  if (heard !== told) violations.push(`${told} decisions were acknowledged, ${heard} of them are in the log`);
  const { code, output } = runLogVerify(home);
  if (code !== 0) violations.push(`writ log verify exits with ${code}: ${output.slice(0, 1000)}`);
  return { entries: size, permits, denials, outcomes, open: open.size, unheard, violations };
}
