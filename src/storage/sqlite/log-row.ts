import type { DatabaseSync } from 'node:sqlite';
import { LogUnavailable } from '../../tlog/index.ts';
import type { Head } from './batch-writer.ts';

export interface LogRow extends Head {
  readonly origin: string;
  readonly consumedFloor: number;
}

/** @throws LogUnavailable when the row is missing or damaged. */
export function readLogRow(db: DatabaseSync): LogRow {
  const row = db.prepare('SELECT origin, size, root, consumed_floor FROM log').get();
  if (
    typeof row?.origin !== 'string' ||
    typeof row.size !== 'number' ||
    typeof row.consumed_floor !== 'number' ||
    !(row.root instanceof Uint8Array)
  ) {
    throw new LogUnavailable('the head of the log is missing or damaged; run `writ log verify`');
  }
  return { origin: row.origin, size: row.size, rootHash: row.root, consumedFloor: row.consumed_floor };
}
