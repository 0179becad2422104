import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDenial } from '../../denial/index.ts';
import type { Signer } from '../../key/index.ts';
import {
  type Checkpoint,
  CompactTree,
  formatCheckpoint,
  formatTilePath,
  hashesEqual,
  leafHash,
  logFault,
  type NoteVerifier,
  noteSigner,
  openCheckpoint,
  rootAt,
  signNote,
  TILE_WIDTH,
  type Tile,
  tilesBetween,
} from '../../tlog/index.ts';
import { furthestTile, openPosixTileStore, publishTiles, tileBytes } from '../posix/index.ts';
import { CommitSeal, deriveCommitKey } from './commit-seal.ts';
import { SqliteLogReader } from './log-reader.ts';
import { WriterLock } from './writer-lock.ts';

export interface RebuildOptions {
  readonly directory: string;
  /** Keys the log has signed with; their name is its origin. */
  readonly logKeys: readonly NoteVerifier[];
  /** The log's own signer. Without it tiles are restored under the published checkpoint, and nothing is signed. */
  readonly signer?: Signer;
  /** A signed checkpoint of this log that was kept elsewhere: the database must contain it. */
  readonly keptCheckpoint?: string;
}

export interface RebuiltLog {
  /** Entries under the checkpoint now. */
  readonly size: number;
  /** Paths of the tiles that were missing or held something else. */
  readonly restored: readonly string[];
  /** `kept`: it stands as it was. `moved`: it covers more now. `restored`: it was gone or damaged. */
  readonly checkpoint: 'kept' | 'moved' | 'restored';
  /** The folder, within the log's, that now holds what was replaced; undefined where nothing was. */
  readonly asideFolder: string | undefined;
}

/** Entries read at once: one tile's worth. */
const CHUNK = TILE_WIDTH;

/**
 * Restores what is derived of a log, tiles and checkpoint, from its database. What is there and right is left alone; what
 * is not is moved aside, never deleted. The log must not be open. Stopped anywhere, it can be run again.
 *
 * INVARIANT: nothing is signed that was not signed before or committed by this log's writer, and nothing where the
 * database and what was published disagree about history: a published head that the database does not contain, or, where
 * no signed head is left to judge by, a tile with other leaves.
 *
 * @throws LogUnavailable saying which of these it is.
 */
export async function rebuildLog(options: RebuildOptions): Promise<RebuiltLog> {
  const lock = WriterLock.acquire(options.directory, 0);
  let reader: SqliteLogReader | undefined;
  try {
    reader = new SqliteLogReader(options.directory);
    return await rebuild(options, reader);
  } finally {
    reader?.close();
    lock.release();
  }
}

async function rebuild(options: RebuildOptions, reader: SqliteLogReader): Promise<RebuiltLog> {
  const { directory, signer, keptCheckpoint } = options;
  const published = await readPublished(directory);
  const signed = published === undefined ? undefined : openWithAny(published, options.logKeys);
  const kept = keptCheckpoint === undefined ? undefined : openWithAny(keptCheckpoint, options.logKeys);
  if (keptCheckpoint !== undefined && kept === undefined) {
    throw logFault('checkpoint_damaged', 'the checkpoint given is not signed by a key of this log');
  }
  const head = reader.head();
  const heads = [signed, kept].filter((each) => each !== undefined);
  for (const each of heads) checkContained(reader, each);
  const reach = furthestTile(directory);
  if (reach > head.size) {
    const problem = `tiles of ${reach} entries were published, and the database has ${head.size}`;
    throw logFault('rolled_back', problem);
  }
  checkEntries(reader);
  if (heads.length === 0) await checkTilesAgree(directory, reader, reach);

  const next = signed?.size === head.size ? undefined : signHead(reader, signer);
  const checkpoint = next ?? (signed === undefined ? keptCheckpoint : published);
  if (checkpoint === undefined) {
    const why =
      signer === undefined ? 'the key that could sign one is not at hand' : describeTail(0, head.size);
    throw logFault('foreign_entries', `the log has no checkpoint signed by its key, and ${why}`);
  }
  const size = next === undefined ? ((signed ?? kept)?.size ?? 0) : head.size;
  const aside = new Aside(directory);
  const restored = await moveWrongTilesAside(directory, reader, size, aside);
  if (published !== undefined && signed === undefined) aside.take('checkpoint');
  const store = openPosixTileStore(directory);
  await publishTiles({ source: reader, store, checkpoint, rebuild: true });
  return {
    size,
    restored,
    checkpoint: signed === undefined ? 'restored' : next === undefined ? 'kept' : 'moved',
    asideFolder: aside.used,
  };
}

/** As it stands, however long: what is no checkpoint is moved aside. Undefined where there is none. */
async function readPublished(directory: string): Promise<string | undefined> {
  const file = join(directory, 'checkpoint');
  return existsSync(file) ? readFile(file, 'utf8') : undefined;
}

function openWithAny(note: string, keys: readonly NoteVerifier[]): Checkpoint | undefined {
  for (const key of keys) {
    const opened = openCheckpoint(note, key);
    if (!isDenial(opened)) return opened;
  }
  return undefined;
}

function checkContained(reader: SqliteLogReader, { size, rootHash }: Checkpoint): void {
  const head = reader.head();
  if (size > head.size) {
    throw logFault(
      'rolled_back',
      `the database has ${head.size} of the ${size} entries that were signed for`,
    );
  }
  if (!hashesEqual(rootAt(reader, size), rootHash)) {
    const problem = `the database does not contain the ${size} entries that were signed for`;
    throw logFault('history_differs', problem);
  }
}

/** Every entry has its leaf hash, every stored tree hash is that of what is under it, and all give the head. */
function checkEntries(reader: SqliteLogReader): void {
  const head = reader.head();
  const tree = CompactTree.empty();
  for (let start = 0; start < head.size; start += CHUNK) {
    const rows = reader.readRows(start, Math.min(CHUNK, head.size - start));
    for (const [at, row] of rows.entries()) {
      if (row === undefined || !hashesEqual(leafHash(row.body), row.leaf)) {
        throw logFault('entry_altered', `entry ${start + at} is missing or not what was appended`);
      }
      for (const { level, index, hash } of tree.append(row.leaf)) {
        if (level > 0 && !hashesEqual(reader.readHashes(level, index, 1), hash)) {
          throw logFault('damaged', `tree hash ${index} of level ${level} is not that of what is under it`);
        }
      }
    }
  }
  if (!hashesEqual(tree.root(), head.rootHash)) {
    throw logFault('damaged', 'the stored root is not the root of the stored entries');
  }
}

/** Without a signed head the tiles are all that tells of history: then none may tell another one. */
async function checkTilesAgree(directory: string, reader: SqliteLogReader, reach: number): Promise<void> {
  for (let index = 0; index * TILE_WIDTH < reach; index += 1) {
    const width = Math.min(TILE_WIDTH, reach - index * TILE_WIDTH);
    const tile: Tile = { level: 0, index, width };
    const present = await readIfThere(join(directory, formatTilePath(tile)));
    if (present !== undefined && !hashesEqual(present, tileBytes(reader, tile))) {
      throw logFault(
        'history_differs',
        `${formatTilePath(tile)} holds other leaves than the database, and no signed checkpoint says which is right; give one that was kept elsewhere with --checkpoint FILE`,
      );
    }
  }
}

/** A checkpoint over the head. Undefined without the key, or where someone else may have written the head. */
function signHead(reader: SqliteLogReader, signer: Signer | undefined): string | undefined {
  if (signer === undefined) return undefined;
  const { origin } = reader;
  const { size, rootHash, seal } = reader.sealedHead();
  const isOurs =
    size === 0 || new CommitSeal(deriveCommitKey(signer, origin), origin).isSealed({ size, rootHash }, seal);
  return isOurs
    ? signNote(formatCheckpoint({ origin, size, rootHash }), [noteSigner(origin, signer)])
    : undefined;
}

function describeTail(start: number, end: number): string {
  return `entries ${start} to ${end - 1} were not committed by this log's writer under this key`;
}

async function moveWrongTilesAside(
  directory: string,
  reader: SqliteLogReader,
  size: number,
  aside: Aside,
): Promise<string[]> {
  const restored: string[] = [];
  for (const tile of tilesBetween(0, size)) {
    const path = formatTilePath(tile);
    const present = await readIfThere(join(directory, path));
    if (present !== undefined && hashesEqual(present, tileBytes(reader, tile))) continue;
    restored.push(path);
    if (existsSync(join(directory, path))) aside.take(path);
  }
  return restored;
}

/** Undefined for what is not there or cannot be read as a file. */
async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch {
    return undefined;
  }
}

/** Where a log's replaced files go, made when the first one does. */
class Aside {
  readonly #directory: string;
  readonly #folder = `replaced-${new Date().toISOString().replaceAll(':', '')}`;
  #isUsed = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get used(): string | undefined {
    return this.#isUsed ? this.#folder : undefined;
  }

  take(path: string): void {
    const to = join(this.#directory, this.#folder, path);
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    rmSync(to, { recursive: true, force: true });
    renameSync(join(this.#directory, path), to);
    this.#isUsed = true;
  }
}
