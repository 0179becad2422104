import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { ReceiptFilters, ReceiptPosition, ReceiptSearch } from '../../receipt/index.ts';
import { executionBytes } from './receipt-index-fold.ts';
import { FACET } from './receipt-index-schema.ts';

/** More of one kin than this count as many: which filter is rarest matters only below. */
const MANY_KIN = 20_000;

/** One filter as a condition, and how many decisions meet it. */
interface Criterion {
  readonly total: number;
  /** Where decisions that meet it stand in order of time: a table with its index, and the condition within it. */
  readonly source: { readonly from: string; readonly where: string };
  /** The same asked of a decision that was found otherwise, as `d`. */
  readonly check: string;
  readonly values: readonly SQLInputValue[];
  readonly isOfDecision: boolean;
}

/** Finds decisions by going through those that meet the rarest filter, in order, and checking the other filters. */
export class ReceiptFinder {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  find({ filters, order, belowIndex, after, limit }: ReceiptSearch): ReceiptPosition[] {
    const criteria = this.#criteriaOf(filters);
    if (criteria === undefined) return [];
    const [driver = EVERYTHING, ...rest] = criteria.toSorted((a, b) => a.total - b.total);
    const row = driver.isOfDecision ? 'd' : 'm';
    const joined =
      row === 'm' && rest.some(({ isOfDecision }) => isOfDecision)
        ? ' CROSS JOIN decision d ON d.idx = m.idx'
        : '';
    const checks = rest.map(({ check }) => check.replaceAll('$row', row));
    const direction = order === 'newest-first' ? 'DESC' : 'ASC';
    const { low, high } = boundsOf(filters, order, after);
    const sql = `SELECT ${row}.at AS at, ${row}.idx AS idx FROM ${driver.source.from}${joined}
      WHERE ${[driver.source.where, ...checks].join(' AND ')}
      AND (${row}.at, ${row}.idx) > (?, ?) AND (${row}.at, ${row}.idx) < (?, ?) AND ${row}.idx < ?
      ORDER BY ${row}.at ${direction}, ${row}.idx ${direction} LIMIT ?`;
    const values = [
      ...driver.values,
      ...rest.flatMap((criterion) => criterion.values),
      ...[low.atMs, low.index, high.atMs, high.index, belowIndex, limit],
    ];
    return this.#prepare(sql)
      .all(...values)
      .map(({ at, idx }) => ({ atMs: Number(at), index: Number(idx) }));
  }

  /** Undefined where a filter names what no receipt has. */
  #criteriaOf(filters: ReceiptFilters): Criterion[] | undefined {
    const criteria: (Criterion | undefined)[] = [];
    for (const facet of ['agent', 'tool', 'code'] as const) {
      const text = filters[facet];
      if (text !== undefined) criteria.push(this.#ofDecision(facet, text));
    }
    for (const facet of ['subject', 'artifact'] as const) {
      const text = filters[facet];
      if (text !== undefined) criteria.push(this.#mention(facet, text));
    }
    for (const role of ['root', 'parent'] as const) {
      const id = filters[role];
      if (id !== undefined) criteria.push(this.#kin(role, id));
    }
    if (filters.verdict !== undefined) criteria.push(this.#verdict(filters.verdict));
    const met = criteria.filter((criterion) => criterion !== undefined);
    return met.length === criteria.length ? met : undefined;
  }

  #ofDecision(facet: 'agent' | 'tool' | 'code', text: string): Criterion | undefined {
    const term = this.#term(FACET[facet], text);
    return (
      term && {
        total: term.total,
        source: { from: `decision d INDEXED BY by_${facet}`, where: `d.${facet} = ?` },
        check: `d.${facet} = ?`,
        values: [term.id],
        isOfDecision: true,
      }
    );
  }

  #mention(facet: 'subject' | 'artifact', text: string): Criterion | undefined {
    const term = this.#term(FACET[facet], text);
    return (
      term && {
        total: term.total,
        source: { from: 'mention m', where: 'm.term = ?' },
        check: 'EXISTS (SELECT 1 FROM mention x WHERE x.term = ? AND x.at = $row.at AND x.idx = $row.idx)',
        values: [term.id],
        isOfDecision: false,
      }
    );
  }

  #kin(role: 'root' | 'parent', id: string): Criterion {
    const values = [FACET[role], executionBytes(id)];
    const counted = this.#prepare(
      `SELECT count(*) AS total FROM (SELECT 1 FROM kin WHERE role = ? AND execution = ? LIMIT ${MANY_KIN})`,
    ).get(...values);
    return {
      total: Number(counted?.total),
      source: { from: 'kin m', where: 'm.role = ? AND m.execution = ?' },
      check:
        'EXISTS (SELECT 1 FROM kin x WHERE x.role = ? AND x.execution = ? AND x.at = $row.at AND x.idx = $row.idx)',
      values,
      isOfDecision: false,
    };
  }

  #verdict(verdict: NonNullable<ReceiptFilters['verdict']>): Criterion {
    const row = this.#prepare('SELECT decisions, denials FROM fold').get();
    const denials = Number(row?.denials);
    return verdict === 'deny'
      ? {
          total: denials,
          source: { from: 'decision d INDEXED BY by_denial', where: 'd.code <> 0' },
          check: 'd.code <> 0',
          values: [],
          isOfDecision: true,
        }
      : {
          total: Number(row?.decisions) - denials,
          source: { from: 'decision d INDEXED BY by_code', where: 'd.code = 0' },
          check: 'd.code = 0',
          values: [],
          isOfDecision: true,
        };
  }

  #term(facet: number, text: string): { readonly id: number; readonly total: number } | undefined {
    const row = this.#prepare('SELECT id, total FROM term WHERE facet = ? AND text = ?').get(
      facet,
      Buffer.from(text, 'utf8'),
    );
    return row && { id: Number(row.id), total: Number(row.total) };
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

const EVERYTHING: Criterion = {
  total: Number.POSITIVE_INFINITY,
  source: { from: 'decision d INDEXED BY by_time', where: 'TRUE' },
  check: 'TRUE',
  values: [],
  isOfDecision: true,
};

/** Both exclusive. */
function boundsOf(
  { sinceMs, untilMs }: ReceiptFilters,
  order: ReceiptSearch['order'],
  after: ReceiptPosition | undefined,
): { readonly low: ReceiptPosition; readonly high: ReceiptPosition } {
  let low = { atMs: sinceMs ?? Number.MIN_SAFE_INTEGER, index: -1 };
  let high = {
    atMs: untilMs ?? Number.MAX_SAFE_INTEGER,
    index: untilMs === undefined ? Number.MAX_SAFE_INTEGER : -1,
  };
  if (after === undefined) return { low, high };
  if (order === 'oldest-first' && isBefore(low, after)) low = after;
  if (order === 'newest-first' && isBefore(after, high)) high = after;
  return { low, high };
}

function isBefore(a: ReceiptPosition, b: ReceiptPosition): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.index < b.index);
}
