import type { DatabaseSync } from 'node:sqlite';
import type { CountQuestion, ReceiptCount } from '../../receipt/index.ts';
import { SPANS_MS } from './receipt-index-fold.ts';
import { FACET } from './receipt-index-schema.ts';

interface Piece {
  /** Length of the buckets; undefined where single decisions are counted. */
  readonly span: number | undefined;
  /** Buckets, or milliseconds; `to` is not part of it. */
  readonly from: number;
  readonly to: number;
}

/** Adds up whole days, hours and minutes, and counts decisions one by one only in what is left of the first and last minute. */
export function countDecisions(db: DatabaseSync, question: CountQuestion): ReceiptCount[] {
  const { by } = question;
  // Two questions: asked both at once, SQLite reads all there is.
  const ends = db
    .prepare('SELECT (SELECT min(at) FROM decision) AS first, (SELECT max(at) FROM decision) AS last')
    .get();
  if (typeof ends?.first !== 'number' || typeof ends.last !== 'number') return [];
  const since = Math.max(question.sinceMs ?? ends.first, ends.first);
  const until = Math.min(question.untilMs ?? ends.last + 1, ends.last + 1);
  const ofBuckets = db.prepare(
    'SELECT term, sum(permits) AS permits, sum(denials) AS denials FROM tally WHERE facet = ? AND span = ? AND bucket >= ? AND bucket < ? GROUP BY term',
  );
  // `by` is one of three words of ours, never the caller's text.
  const ofDecisions = db.prepare(
    `SELECT ${COLUMN[by]} AS term, sum(code = 0) AS permits, sum(code <> 0) AS denials FROM decision INDEXED BY by_time WHERE at >= ? AND at < ? GROUP BY term`,
  );
  const sums = new Map<number, { permits: number; denials: number }>();
  for (const { span, from, to } of piecesOf(since, until)) {
    const rows = span === undefined ? ofDecisions.all(from, to) : ofBuckets.all(FACET[by], span, from, to);
    for (const { term, permits, denials } of rows) {
      const sum = sums.get(Number(term)) ?? { permits: 0, denials: 0 };
      sum.permits += Number(permits);
      sum.denials += Number(denials);
      sums.set(Number(term), sum);
    }
  }
  const textOf = db.prepare('SELECT text FROM term WHERE id = ?');
  return [...sums].map(([term, sum]) => {
    const text = term === 0 ? undefined : textOf.get(term)?.text;
    return { value: text instanceof Uint8Array ? Buffer.from(text).toString('utf8') : '', ...sum };
  });
}

const COLUMN = { agent: 'agent', tool: 'tool', code: 'code' } as const satisfies Record<
  CountQuestion['by'],
  string
>;

/** A stretch of time as few pieces: the longest whole spans that fit, from the middle outwards. */
function piecesOf(since: number, until: number, spans: readonly number[] = SPANS_MS): Piece[] {
  if (since >= until) return [];
  const [span, ...shorter] = spans;
  if (span === undefined) return [{ span, from: since, to: until }];
  const from = Math.ceil(since / span);
  const to = Math.floor(until / span);
  if (from >= to) return piecesOf(since, until, shorter);
  return [
    ...piecesOf(since, from * span, shorter),
    { span, from, to },
    ...piecesOf(to * span, until, shorter),
  ];
}
