import { closeSync, existsSync, lstatSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EMPTY_ROOT } from '../../tlog/index.ts';
import { makePrivateFile } from './private-files.ts';
import { closeQuietly } from './schema.ts';

/** 'WRIX' in the header of the file. */
const APPLICATION_ID = 0x57524958;
/** Files of any other version are made anew: everything in them stands in the log. */
const FORMAT_VERSION = 1;

const BUSY_TIMEOUT_MS = 10_000;

/**
 * The first `size` entries of the log, whose tree has this root, taken apart. `term` holds each text once; 0 stands for
 * none. Each `by_` index has everything a search may ask of a decision, so that passing over one costs no look-up. `mention` is for
 * what a receipt has several of, `kin` for execution ids (16 bytes where they are UUIDs), `tally` for counts per span of time.
 */
const TABLES = [
  'CREATE TABLE fold (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, decisions INTEGER NOT NULL, denials INTEGER NOT NULL) STRICT',
  'CREATE TABLE term (id INTEGER PRIMARY KEY, facet INTEGER NOT NULL, text BLOB NOT NULL, total INTEGER NOT NULL, UNIQUE (facet, text)) STRICT',
  'CREATE TABLE decision (idx INTEGER NOT NULL, at INTEGER NOT NULL, code INTEGER NOT NULL, agent INTEGER NOT NULL, tool INTEGER NOT NULL, PRIMARY KEY (idx)) STRICT, WITHOUT ROWID',
  'CREATE TABLE mention (term INTEGER NOT NULL, at INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (term, at, idx)) STRICT, WITHOUT ROWID',
  'CREATE TABLE kin (role INTEGER NOT NULL, execution BLOB NOT NULL, at INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (role, execution, at, idx)) STRICT, WITHOUT ROWID',
  'CREATE TABLE tally (facet INTEGER NOT NULL, span INTEGER NOT NULL, bucket INTEGER NOT NULL, term INTEGER NOT NULL, permits INTEGER NOT NULL, denials INTEGER NOT NULL, PRIMARY KEY (facet, span, bucket, term)) STRICT, WITHOUT ROWID',
  'CREATE INDEX by_time ON decision (at, idx, code, agent, tool)',
  'CREATE INDEX by_agent ON decision (agent, at, idx, code, tool)',
  'CREATE INDEX by_tool ON decision (tool, at, idx, code, agent)',
  'CREATE INDEX by_code ON decision (code, at, idx, agent, tool)',
  'CREATE INDEX by_denial ON decision (at, idx, code, agent, tool) WHERE code <> 0',
] as const;

const TABLE_NAMES = ['fold', 'term', 'decision', 'mention', 'kin', 'tally'] as const;

/** What `term.facet` says a text is; `kin.role` uses the last two. */
export const FACET = { code: 1, agent: 2, tool: 3, subject: 4, artifact: 5, root: 6, parent: 7 } as const;

export function indexPath(directory: string): string {
  return join(directory, 'index.sqlite');
}

/**
 * Opens the index beside a log, for its owner alone; makes it where there is none, and anew where the file is none.
 * @throws Error where the folder can't be written or the file can't be used.
 */
export function openKeptIndex(directory: string, origin: string): DatabaseSync {
  const path = indexPath(directory);
  for (let removed = false; ; removed = true) {
    let db: DatabaseSync | undefined;
    const seen = inodeOf(path);
    try {
      if (!isPlainFile(path)) throw new NotAnIndex('it is not a file');
      if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600));
      makePrivateFile(path);
      db = openDatabase(path, false);
      // No WAL: a home that can only be read could not be asked.
      db.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768');
      createTables(db, origin);
      checkSchema(db);
      return db;
    } catch (error) {
      closeQuietly(db);
      if (removed || !isOfNoUse(error)) throw error;
      removeIndex(directory, seen);
    }
  }
}

/** @throws Error where there is none, or it would have to be written to be used. */
export function openIndexReadOnly(directory: string): DatabaseSync {
  const db = openDatabase(indexPath(directory), true);
  try {
    checkSchema(db);
    return db;
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/** An index in a nameless file that is gone when it is closed. */
export function openTemporaryIndex(origin: string): DatabaseSync {
  const db = openDatabase('', false);
  db.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768');
  createTables(db, origin);
  return db;
}

function openDatabase(path: string, readOnly: boolean): DatabaseSync {
  const db = new DatabaseSync(path, {
    readOnly,
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: false,
  });
  db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY');
  return db;
}

function createTables(db: DatabaseSync, origin: string): void {
  if (!isEmpty(db)) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Somebody else may have been first.
    if (isEmpty(db)) fillSchema(db, origin);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
}

/** Within a transaction: an index of nothing. Dropping costs little, however much there was. */
export function resetTables(db: DatabaseSync, origin: string): void {
  for (const table of TABLE_NAMES) db.exec(`DROP TABLE IF EXISTS ${table}`);
  fillSchema(db, origin);
}

function fillSchema(db: DatabaseSync, origin: string): void {
  for (const statement of TABLES) db.exec(statement);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`);
  db.prepare('INSERT INTO fold VALUES (1, ?, 0, ?, 0, 0)').run(origin, EMPTY_ROOT);
}

/** The file is an index of this format and holds nothing else: no trigger, no view, no altered table. */
function checkSchema(db: DatabaseSync): void {
  const version = db.prepare('PRAGMA user_version').get()?.user_version;
  const application = db.prepare('PRAGMA application_id').get()?.application_id;
  const statements = db
    .prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL LIMIT 100')
    .all()
    .map(({ sql }) => sql);
  const expected = new Set<unknown>(TABLES);
  const isOurs =
    application === APPLICATION_ID &&
    version === FORMAT_VERSION &&
    statements.length === expected.size &&
    statements.every((sql) => expected.has(sql));
  if (!isOurs) throw new NotAnIndex('it is not an index of this version of Writ');
}

class NotAnIndex extends Error {}

/** SQLite's codes for what a right, a lock, memory or the disk is in the way of; the file itself may be fine. */
const IN_THE_WAY: ReadonlySet<number> = new Set([3, 5, 6, 7, 8, 10, 13, 14, 22, 23]);

/** Whether an error says that the file will never be of use, whatever else is wrong in it. */
export function isOfNoUse(error: unknown): boolean {
  if (error instanceof NotAnIndex || error instanceof RangeError) return true;
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return false;
  // The low byte of an extended code is the plain one.
  return !IN_THE_WAY.has(error.errcode % 256);
}

/**
 * Removes the file and its journals, unless somebody has put another in its place since it was looked at: that one's
 * journal has the same name.
 */
export function removeIndex(directory: string, seen: number | undefined): void {
  const path = indexPath(directory);
  if (inodeOf(path) !== seen) return;
  for (const suffix of ['-journal', '-wal', '-shm', '']) rmSync(`${path}${suffix}`, { force: true });
}

export function inodeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.ino;
}

function isPlainFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
}
