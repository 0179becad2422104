import type { DatabaseSync } from 'node:sqlite';
import { logFault } from '../../tlog/log.ts';
import type { Head } from './batch-writer.ts';

export interface LogRow extends Head {
  readonly origin: string;
  /** Of the head, by `CommitSeal`. */
  readonly seal: Uint8Array;
  readonly consumedFloor: number;
}

/** @throws LogUnavailable when the row is missing or damaged. */
export function readLogRow(db: DatabaseSync): LogRow {
  const row = db.prepare('SELECT origin, size, root, seal, consumed_floor FROM log').get();
  if (
    typeof row?.origin !== 'string' ||
    typeof row.size !== 'number' ||
    typeof row.consumed_floor !== 'number' ||
    !(row.root instanceof Uint8Array) ||
    !(row.seal instanceof Uint8Array)
  ) {
    throw logFault('damaged', 'the head of the log is missing or damaged');
  }
  const { origin, size, root: rootHash, seal, consumed_floor: consumedFloor } = row;
  return { origin, size, rootHash, seal, consumedFloor };
}
