import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isJsonObject, parseJson } from '../../codec/json.ts';
import { isDenial } from '../../denial/denial.ts';
import { LOG_FAULTS } from '../../tlog/log-fault.ts';
import { unavailableBecause } from '../driver-fault.ts';
import { isBusy, LogLocked } from './failure.ts';
import { makePrivateDirectory, makePrivateFile } from './private-files.ts';
import { closeQuietly } from './schema.ts';

const MAX_HOLDER_BYTES = 1_024;

/**
 * The exclusive right to write one log. It is an operating-system lock on `writer.lock` (an empty SQLite database in a
 * never-ending transaction, which also excludes other connections of this process), so it dies with its process and
 * cannot go stale. `writer.json` beside it only tells people who holds it.
 */
export class WriterLock {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /**
   * Waits up to `timeoutMs` for another writer to finish.
   * @throws LogLocked naming the holder when it doesn't.
   */
  static acquire(directory: string, timeoutMs: number): WriterLock {
    let db: DatabaseSync | undefined;
    try {
      makePrivateDirectory(directory);
      const file = join(directory, 'writer.lock');
      db = new DatabaseSync(file, { timeout: timeoutMs });
      makePrivateFile(file);
      db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      const holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
      writeFileSync(join(directory, 'writer.json'), `${JSON.stringify(holder)}\n`, { mode: 0o600 });
      return new WriterLock(db);
    } catch (error) {
      closeQuietly(db);
      if (!isBusy(error)) {
        throw unavailableBecause(`the writer lock of ${directory} cannot be taken`, error);
      }
      throw new LogLocked(
        `${directory} already has a writer: ${describeHolder(directory)}; ${LOG_FAULTS.locked}`,
      );
    }
  }

  release(): void {
    closeQuietly(this.#db);
  }
}

function describeHolder(directory: string): string {
  try {
    const bytes = readFileSync(join(directory, 'writer.json'));
    const holder = parseJson(bytes.subarray(0, MAX_HOLDER_BYTES), 'request.malformed');
    if (!isDenial(holder) && isJsonObject(holder) && typeof holder.pid === 'number') {
      return `process ${holder.pid} on ${String(holder.host)} since ${String(holder.since)}`;
    }
  } catch {
    // Who holds it is a courtesy; that it is held is certain.
  }
  return 'another process';
}
