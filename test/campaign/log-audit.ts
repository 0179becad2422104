import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJsonObject } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { type Home, readEvidenceKey } from '../../src/governor/index.ts';
import { argumentsOfProof, DECISION_RECEIPT, parseDecisionReceipt } from '../../src/receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader, verifyLog } from '../../src/storage/index.ts';
import { parseVkey, verifyConsistency } from '../../src/tlog/index.ts';
import { must } from '../support/trust-domain.ts';

/** One permit, as log and evidence store have it. */
export interface RecordedPermit {
  readonly executionId: string;
  readonly number: number;
  readonly tool: string;
  readonly jti: string;
  readonly iatSeconds: number;
  readonly pop: string;
}

/** Everything a home's execution log says, read on from where it was read before. */
export class LogAudit {
  readonly permits = new Map<number, RecordedPermit>();
  readonly permitsById = new Map<string, RecordedPermit>();
  /** Denial code by execution id. */
  readonly denials = new Map<string, string>();
  readonly violations: string[] = [];
  outcomes = 0;
  readonly #folder: string;
  readonly #evidenceKey: Uint8Array;
  readonly #jtis = new Set<string>();
  #head: { readonly size: number; readonly rootHash: Uint8Array } = {
    size: 0,
    rootHash: createHash('sha256').digest(),
  };

  constructor(home: Home, log: string) {
    this.#folder = home.executionLogFolder(log);
    this.#evidenceKey = must(readEvidenceKey(home.evidenceKeyFile));
  }

  get size(): number {
    return this.#head.size;
  }

  /** Reads what is new, and holds that what was there is still there. */
  readOn(): void {
    if (!existsSync(join(this.#folder, 'log.sqlite'))) {
      if (this.size > 0) this.violations.push('the log is gone');
      return;
    }
    let reader: SqliteLogReader;
    try {
      reader = openSqliteLogReader(this.#folder);
    } catch (error) {
      // Killed while the very first writer made the database: nothing can have been acknowledged.
      if (this.size > 0) this.violations.push(`the log cannot be read: ${String(error)}`);
      return;
    }
    try {
      const before = this.#head;
      const now = reader.head();
      if (now.size < before.size) this.violations.push(`the log shrank from ${before.size} to ${now.size}`);
      else if (!this.#extends(reader, before, now))
        this.violations.push('the log is not an extension of what it was');
      for (const [offset, entry] of reader.read(before.size, now.size - before.size).entries()) {
        this.#take(reader, before.size + offset, entry);
      }
      this.#head = now;
    } finally {
      reader.close();
    }
  }

  /** The whole log against its signed checkpoint. `unsigned`: as after a kill, when nothing may be published yet. */
  async verify(options: { readonly unsigned: boolean }): Promise<void> {
    const vkeyFile = join(this.#folder, 'log.vkey');
    if (!existsSync(vkeyFile) || !existsSync(join(this.#folder, 'log.sqlite'))) {
      if (!options.unsigned) this.violations.push('the log has no key or no database');
      return;
    }
    const key = must(parseVkey(readFileSync(vkeyFile, 'utf8').trim()));
    const { problems } = await verifyLog(this.#folder, key);
    for (const { where, detail } of problems) {
      if (options.unsigned && where === 'checkpoint' && detail.startsWith('none is published')) continue;
      this.violations.push(`log verify: ${where}: ${detail}`);
    }
  }

  #extends(
    reader: SqliteLogReader,
    before: { size: number; rootHash: Uint8Array },
    now: { size: number; rootHash: Uint8Array },
  ): boolean {
    if (before.size === 0) return true;
    const proof = before.size === now.size ? [] : reader.consistencyProof(before.size, now.size);
    return verifyConsistency({
      size1: before.size,
      root1: before.rootHash,
      size2: now.size,
      root2: now.rootHash,
      proof,
    });
  }

  #take(reader: SqliteLogReader, index: number, entry: Uint8Array): void {
    const json = parseJsonObject(entry, 'log.unavailable');
    if (isDenial(json)) {
      this.violations.push(`entry ${index} is no receipt: ${json.detail}`);
      return;
    }
    if (json.type !== DECISION_RECEIPT) {
      this.outcomes += 1;
      return;
    }
    const receipt = parseDecisionReceipt(entry);
    if (isDenial(receipt)) {
      this.violations.push(`entry ${index} is no receipt: ${receipt.detail}`);
      return;
    }
    if (receipt.verdict === 'deny') {
      this.denials.set(receipt.id, receipt.code ?? '');
      return;
    }
    const { request: address = '' } = receipt.evidence;
    const bytes = reader.readEvidence(address, this.#evidenceKey);
    const evidence = bytes === undefined ? undefined : parseJsonObject(bytes, 'log.unavailable');
    const pop = evidence !== undefined && !isDenial(evidence) ? evidence.pop : undefined;
    const args = argumentsOfProof(pop);
    const number = args !== undefined && isJsonObject(args) ? args.number : undefined;
    const { proof } = receipt;
    if (typeof pop !== 'string' || typeof number !== 'number' || proof === undefined) {
      this.violations.push(`permit ${receipt.id} has no readable evidence`);
      return;
    }
    if (this.#jtis.has(proof.jti)) this.violations.push(`proof ${proof.jti} was accepted twice`);
    this.#jtis.add(proof.jti);
    const permit = { executionId: receipt.id, number, tool: receipt.tool, pop, ...proof };
    if (this.permits.has(number)) this.violations.push(`call ${number} has two permits`);
    this.permits.set(number, permit);
    this.permitsById.set(receipt.id, permit);
  }
}
