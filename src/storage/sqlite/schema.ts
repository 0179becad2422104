import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EMPTY_ROOT } from '../../tlog/hash.ts';
import { LogUnavailable, logFault } from '../../tlog/log.ts';
import { unavailableBecause } from '../driver-fault.ts';
import { makePrivateFile } from './private-files.ts';

/** 'WRIT' in the header of the file, so that `file` and a hex dump say what it is. */
const APPLICATION_ID = 0x57524954;
const FORMAT_VERSION = 2;

const PAGE_BYTES = 8_192;

/** How long a statement waits for another connection's short lock (WAL recovery, a closing writer). */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * One database per log. Everything an append makes durable is in here and in one transaction, so that *recorded* and
 * *consumed* cannot differ (DESIGN §6). Level 0 of the tree is `entry.leaf`; `node` holds tile levels 1 and up.
 */
const TABLES = [
  'CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, seal BLOB NOT NULL, consumed_floor INTEGER NOT NULL) STRICT',
  'CREATE TABLE entry (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, body BLOB NOT NULL) STRICT',
  'CREATE TABLE node (level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID',
  'CREATE TABLE lookup (key TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (key, idx)) STRICT, WITHOUT ROWID',
  'CREATE TABLE consumed (id TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID',
  'CREATE TABLE counter (key TEXT PRIMARY KEY, total TEXT NOT NULL) STRICT, WITHOUT ROWID',
  'CREATE TABLE evidence (address TEXT PRIMARY KEY, wrapped_key BLOB, sealed BLOB) STRICT',
] as const;

export function databasePath(directory: string): string {
  return join(directory, 'log.sqlite');
}

/** Opens the database for the one writer; creates it where there is none. The writer lock must be held. */
export function openForWriting(directory: string, origin: string): DatabaseSync {
  const path = databasePath(directory);
  return openChecked(path, { readOnly: false }, (db) => {
    // Before there is a WAL, which takes over the file's mode.
    makePrivateFile(path);
    // Of a new database only. Receipts with what belongs to them have about 2 KiB: of 4 KiB pages they fill a half.
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    // WAL and FULL: a commit returns after its fsync. WAL checkpoints are made on purpose, between batches.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');
    db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA cache_size = -4096');
    // INVARIANT: from the first row on. SQLite moves rows from page to page as a tree grows; what it leaves behind where it
    // does not wipe, no later erasure can find.
    db.exec('PRAGMA secure_delete = FAST');
    createTables(db, origin);
  });
}

/** Opens the database for reading beside a running writer, in this process or another. */
export function openForReading(directory: string): DatabaseSync {
  const path = databasePath(directory);
  if (!existsSync(path)) throw logFault('damaged', `there is no log at ${path}`);
  return openChecked(path, { readOnly: true }, (db) => db.exec('PRAGMA cache_size = -1024'));
}

function openChecked(
  path: string,
  options: { readOnly: boolean },
  prepare: (db: DatabaseSync) => void,
): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { ...options, timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
    // A damaged or planted database must not run SQL of its own nor read past its cells.
    db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
    prepare(db);
    checkSchema(db, path);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw unavailableBecause(`${path} cannot be opened as a log`, error);
  }
}

function createTables(db: DatabaseSync, origin: string): void {
  if (db.prepare('SELECT 1 FROM sqlite_schema').get() !== undefined) return;
  db.exec('BEGIN IMMEDIATE');
  for (const table of TABLES) db.exec(table);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`);
  db.prepare('INSERT INTO log VALUES (1, ?, 0, ?, ?, 0)').run(origin, EMPTY_ROOT, new Uint8Array());
  db.exec('COMMIT');
}

/** The file is a log of this format and holds nothing else: no trigger, no view, no altered table. */
function checkSchema(db: DatabaseSync, path: string): void {
  const version = db.prepare('PRAGMA user_version').get()?.user_version;
  const application = db.prepare('PRAGMA application_id').get()?.application_id;
  if (application !== APPLICATION_ID) throw logFault('damaged', `${path} is not a Writ log`);
  if (version !== FORMAT_VERSION) {
    throw new LogUnavailable(
      `${path} has log format ${String(version)}, this version of Writ reads ${FORMAT_VERSION}`,
    );
  }
  const statements = db
    .prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL LIMIT 100')
    .all()
    .map((row) => row.sql);
  const expected = new Set<unknown>(TABLES);
  if (statements.length !== expected.size || statements.some((sql) => !expected.has(sql))) {
    throw logFault('damaged', `${path} has tables that no Writ log has`);
  }
}

export function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    db?.close();
  } catch {
    // It is already closed, or the handle is beyond use; the caller's own error is the one to report.
  }
}
