import { type Denial, isDenial } from '../denial/index.ts';
import {
  type FoundReceipt,
  type OutcomeReceipt,
  parseOutcomeReceipt,
  queryReceipts,
  type ReceiptRequest,
} from '../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader, SqliteReceiptIndex } from '../storage/index.ts';
import type { Home } from './home.ts';

/** A decision, with what came of it where it has ended. */
export interface DecisionWithOutcome extends FoundReceipt {
  readonly outcome?: OutcomeReceipt;
}

export interface DecisionPage {
  readonly decisions: readonly DecisionWithOutcome[];
  /** Cursor of the page after this one. */
  readonly next: string | undefined;
}

/**
 * One page of the decisions of these logs, found through their indexes.
 *
 * @returns `request.malformed` where the request is none. @throws LogUnavailable where a log cannot be read.
 */
export async function listDecisions(
  home: Home,
  logs: readonly string[],
  request: ReceiptRequest,
): Promise<DecisionPage | Denial> {
  const readers = new Map<string, SqliteLogReader>();
  const indexes = new Map<string, SqliteReceiptIndex>();
  try {
    for (const log of logs) {
      const folder = home.executionLogFolder(log);
      const reader = openSqliteLogReader(folder);
      readers.set(log, reader);
      indexes.set(log, new SqliteReceiptIndex(folder, reader));
    }
    const page = await queryReceipts(indexes, request);
    if (isDenial(page)) return page;
    const decisions = page.found.flatMap((found) => {
      const reader = readers.get(found.log);
      return reader === undefined ? [] : [withOutcome(reader, found)];
    });
    return { decisions, next: page.next };
  } finally {
    for (const index of indexes.values()) index.close();
    for (const reader of readers.values()) reader.close();
  }
}

/** A decision that an index found, with what came of it. */
export function withOutcome(
  reader: SqliteLogReader,
  { log, index, receipt }: FoundReceipt,
): DecisionWithOutcome {
  const outcome = receipt.verdict === 'permit' ? outcomeOf(reader, receipt.id) : undefined;
  return { log, index, receipt, ...(outcome && { outcome }) };
}

function outcomeOf(reader: SqliteLogReader, id: string): OutcomeReceipt | undefined {
  const [index] = reader.lookup(`outcome:${id}`);
  const [entry] = index === undefined ? [] : reader.read(index, 1);
  const outcome = entry === undefined ? undefined : parseOutcomeReceipt(entry);
  return outcome === undefined || isDenial(outcome) ? undefined : outcome;
}
