import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isDenial } from '../../denial/index.ts';
import { type CountedFacet, DECISION_RECEIPT, facetsOf, parseDecisionReceipt } from '../../receipt/index.ts';
import { FACET } from './receipt-index-schema.ts';

const MINUTE_MS = 60_000;

/** Spans that counts are kept for, longest first: a day, an hour, a minute, in milliseconds. */
export const SPANS_MS = [86_400_000, 3_600_000, MINUTE_MS] as const;

const COUNTED: readonly CountedFacet[] = ['agent', 'tool', 'code'];

/** Terms remembered between entries. */
const MAX_CACHED_TERMS = 20_000;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** An execution id as `kin` has it: distinct for distinct ids, since only a UUID has 16 bytes and no leading zero byte. */
export function executionBytes(id: string): Uint8Array {
  return UUID.test(id) ? Buffer.from(id.replaceAll('-', ''), 'hex') : Buffer.from(`\0${id}`, 'utf8');
}

export interface FoldCounts {
  readonly decisions: number;
  readonly denials: number;
}

interface Tally {
  readonly facet: number;
  readonly minute: number;
  readonly term: number;
  permits: number;
  denials: number;
}

/** Takes entries of a log apart into the tables of its index, within the caller's transactions. */
export class ReceiptFold {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #terms = new Map<string, number>();
  readonly #totals = new Map<number, number>();
  readonly #tallies = new Map<string, Tally>();
  #decisions = 0;
  #denials = 0;

  constructor(db: DatabaseSync) {
    this.#statements = prepareStatements(db);
  }

  /** Entries that are no decisions leave nothing. */
  add(index: number, entry: Uint8Array): void {
    const receipt = mayBeDecision(entry) ? parseDecisionReceipt(entry) : undefined;
    if (receipt === undefined || isDenial(receipt)) return;
    const { atMs } = receipt;
    const { agent, tool, code, subjects, artifacts, root, parent } = facetsOf(receipt);
    const terms = {
      agent: this.#term(FACET.agent, agent),
      tool: this.#term(FACET.tool, tool),
      code: this.#term(FACET.code, code),
    };
    this.#statements.addDecision.run(index, atMs, terms.code, terms.agent, terms.tool);
    for (const subject of subjects) {
      this.#statements.addMention.run(this.#term(FACET.subject, subject), atMs, index);
    }
    for (const artifact of artifacts) {
      this.#statements.addMention.run(this.#term(FACET.artifact, artifact), atMs, index);
    }
    this.#statements.addKin.run(FACET.root, executionBytes(root), atMs, index);
    if (parent !== undefined) this.#statements.addKin.run(FACET.parent, executionBytes(parent), atMs, index);
    const isDenied = receipt.verdict === 'deny';
    const minute = Math.floor(atMs / MINUTE_MS);
    this.#decisions += 1;
    if (isDenied) this.#denials += 1;
    for (const facet of COUNTED) this.#count(FACET[facet], terms[facet], minute, isDenied);
  }

  /** Writes what was summed up since the last time. */
  flush(): FoldCounts {
    for (const [term, count] of this.#totals) this.#statements.addTotal.run(count, term);
    for (const tally of this.#tallies.values()) {
      const { facet, minute, term, permits, denials } = tally;
      for (const span of SPANS_MS) {
        const bucket = Math.floor((minute * MINUTE_MS) / span);
        this.#statements.addTally.run(facet, span, bucket, term, permits, denials);
      }
    }
    const counts = { decisions: this.#decisions, denials: this.#denials };
    this.#totals.clear();
    this.#tallies.clear();
    this.#decisions = 0;
    this.#denials = 0;
    return counts;
  }

  #count(facet: number, term: number, minute: number, isDenied: boolean): void {
    const key = `${facet} ${minute} ${term}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = { facet, minute, term, permits: 0, denials: 0 };
      this.#tallies.set(key, tally);
    }
    if (isDenied) tally.denials += 1;
    else tally.permits += 1;
  }

  /** The number of a text, which counts as one more mention of it. */
  #term(facet: number, text: string): number {
    if (text === '') return 0;
    const key = `${facet} ${text}`;
    let id = this.#terms.get(key);
    if (id === undefined) {
      id = this.#storedTerm(facet, Buffer.from(text, 'utf8'));
      if (this.#terms.size >= MAX_CACHED_TERMS) this.#terms.clear();
      this.#terms.set(key, id);
    }
    this.#totals.set(id, (this.#totals.get(id) ?? 0) + 1);
    return id;
  }

  #storedTerm(facet: number, text: Uint8Array): number {
    const found = this.#statements.findTerm.get(facet, text)?.id;
    return Number(found ?? this.#statements.addTerm.run(facet, text).lastInsertRowid);
  }
}

const TYPE = Buffer.from(`"${DECISION_RECEIPT}"`);
const BACKSLASH = 0x5c;

/** False only where parsing would refuse: the type stands in a receipt as it is, unless it is written with escapes. */
function mayBeDecision(entry: Uint8Array): boolean {
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
  return bytes.includes(TYPE) || bytes.includes(BACKSLASH);
}

function prepareStatements(db: DatabaseSync) {
  const prepare = (sql: string): StatementSync => db.prepare(sql);
  return {
    findTerm: prepare('SELECT id FROM term WHERE facet = ? AND text = ?'),
    addTerm: prepare('INSERT INTO term (facet, text, total) VALUES (?, ?, 0)'),
    addTotal: prepare('UPDATE term SET total = total + ? WHERE id = ?'),
    addDecision: prepare('INSERT INTO decision VALUES (?, ?, ?, ?, ?)'),
    addMention: prepare('INSERT INTO mention VALUES (?, ?, ?)'),
    addKin: prepare('INSERT INTO kin VALUES (?, ?, ?, ?)'),
    addTally: prepare(
      'INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET permits = permits + excluded.permits, denials = denials + excluded.denials',
    ),
  };
}
