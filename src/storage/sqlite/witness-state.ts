import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogUnavailable, type SignedHead } from '../../tlog/index.ts';
import { causeOf } from '../driver-fault.ts';
import { makePrivateDirectory, makePrivateFile } from './private-files.ts';
import { closeQuietly } from './schema.ts';

/** 'WRIW' */
const APPLICATION_ID = 0x57524957;
const FORMAT_VERSION = 1;
const BUSY_TIMEOUT_MS = 5_000;
const TABLE =
  'CREATE TABLE head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL) STRICT';

/** What a witness has cosigned last for one log. */
export interface CosignedHead extends SignedHead {
  /** Time of the cosignature, in seconds. */
  readonly atSeconds: number;
}

/**
 * What a witness remembers, in one SQLite database. A witness that forgets it will cosign a fork, so it is made once, by
 * `create`, and a missing one is never replaced by an empty one.
 *
 * After a failed commit nobody knows what is on the disk: then every later call throws until it is opened anew.
 */
export class WitnessState {
  readonly #db: DatabaseSync;
  #failure: LogUnavailable | undefined;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** @throws LogUnavailable when there is one already or it cannot be made. */
  static create(directory: string): void {
    const path = statePath(directory);
    if (existsSync(path)) throw new LogUnavailable(`${path} is there already`);
    guard(`${path} cannot be made`, () => {
      makePrivateDirectory(directory);
      const db = new DatabaseSync(path);
      try {
        makePrivateFile(path);
        db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON');
        db.exec(`BEGIN IMMEDIATE; ${TABLE}; PRAGMA application_id = ${APPLICATION_ID}`);
        db.exec(`PRAGMA user_version = ${FORMAT_VERSION}; COMMIT`);
      } finally {
        db.close();
      }
    });
  }

  /** @throws LogUnavailable when it is missing, damaged or something else. */
  static open(directory: string): WitnessState {
    const path = statePath(directory);
    if (!existsSync(path)) {
      throw new LogUnavailable(
        `there is no ${path}: a witness that has lost its state could cosign a fork; restore it, or make a new witness with a new key`,
      );
    }
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
      makePrivateFile(path);
      db.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON');
      checkFormat(db, path);
      return new WitnessState(db);
    } catch (error) {
      closeQuietly(db);
      if (error instanceof LogUnavailable) throw error;
      throw new LogUnavailable(`${path} cannot be opened: ${causeOf(error)}`);
    }
  }

  /** What was cosigned last for a log; undefined when nothing was. */
  read(origin: string): CosignedHead | undefined {
    return guard('the witness state cannot be read', () => {
      const row = this.#db.prepare('SELECT size, root, note, at FROM head WHERE origin = ?').get(origin);
      if (row === undefined) return undefined;
      const { size, root, note, at } = row;
      if (
        typeof size !== 'number' ||
        !(root instanceof Uint8Array) ||
        typeof note !== 'string' ||
        typeof at !== 'number'
      ) {
        throw new LogUnavailable('the witness state is damaged');
      }
      return { size, rootHash: root, note, atSeconds: at };
    });
  }

  /**
   * Stores what `judge` makes of what is stored, durably before this returns, unless `judge` refuses. INVARIANT: between
   * reading and storing nothing else is stored, by no caller and no other process on this file: the transaction is
   * immediate and never spans an await.
   */
  advance<R extends { readonly status: number }>(
    origin: string,
    judge: (known: CosignedHead | undefined) => CosignedHead | R,
  ): CosignedHead | R {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const next = judge(this.read(origin));
      if ('status' in next) {
        this.#db.exec('ROLLBACK');
        return next;
      }
      this.#db
        .prepare('INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?, ?)')
        .run(origin, next.size, next.rootHash, next.note, next.atSeconds);
      this.#db.exec('COMMIT');
      return next;
    } catch (error) {
      this.#failure = new LogUnavailable(`the witness state cannot be written: ${causeOf(error)}`);
      throw this.#failure;
    }
  }

  close(): void {
    closeQuietly(this.#db);
  }
}

function statePath(directory: string): string {
  return join(directory, 'witness.sqlite');
}

/** A planted database may hold triggers that change what is stored. */
function checkFormat(db: DatabaseSync, path: string): void {
  const application = db.prepare('PRAGMA application_id').get()?.application_id;
  const version = db.prepare('PRAGMA user_version').get()?.user_version;
  if (application !== APPLICATION_ID) throw new LogUnavailable(`${path} is not a witness's state`);
  if (version !== FORMAT_VERSION) {
    throw new LogUnavailable(`${path} has format ${String(version)}, this version of Writ reads 1`);
  }
  const [table, ...others] = db.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL').all();
  if (table?.sql !== TABLE || others.length > 0) {
    throw new LogUnavailable(`${path} has tables that no witness's state has`);
  }
}

function guard<T>(problem: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    if (error instanceof LogUnavailable) throw error;
    throw new LogUnavailable(`${problem}: ${causeOf(error)}`);
  }
}
