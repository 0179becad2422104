import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isDenial } from '../../denial/index.ts';
import {
  type Checkpoint,
  HASH_BYTES,
  hashesEqual,
  logFault,
  MAX_ENTRY_BYTES,
  MAX_NOTE_BYTES,
  parseTilePath,
  peekCheckpoint,
  TILE_WIDTH,
  type TileStore,
} from '../../tlog/index.ts';
import { unavailableBecause } from '../driver-fault.ts';
import { withCheckpointLock } from './checkpoint-lock.ts';
import { makeDirectory, renameDurablySync, syncDirectory, writeDurably } from './durable-file.ts';

const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);
const TEMPORARY_FOLDER = '.tmp';
/** A temporary file lives for milliseconds; one this old was left by a process that was killed. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * A `TileStore` on a directory that any static file server can publish as it is: `checkpoint`, `tile/…`. Beside them stand
 * `checkpoint.lock` and `.tmp/`, which need not be served. Nothing is created before the first write.
 *
 * Every method rejects with `LogUnavailable` when the file system fails; what was published before still stands then.
 */
export function openPosixTileStore(directory: string): TileStore {
  return new PosixTileStore(resolve(directory));
}

class PosixTileStore implements TileStore {
  readonly #root: string;
  /** Folders whose names are known to be durable. */
  readonly #folders = new Set<string>();
  #temporaries = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const { file, maxBytes } = this.#locate(path);
    return guard(`${path} cannot be read`, () => readBounded(file, maxBytes));
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const { file, maxBytes, isBundle } = this.#locate(path);
    const isFitting = isBundle ? bytes.byteLength <= maxBytes : bytes.byteLength === maxBytes;
    if (!isFitting) throw new TypeError(`${bytes.byteLength} bytes are not what ${path} holds`);
    return guard(`${path} cannot be written`, async () => {
      const folder = dirname(file);
      await this.#makeFolder(folder);
      const present = await readBounded(file, maxBytes);
      if (present === undefined) {
        const temporary = await this.#writeTemporary(bytes);
        await rename(temporary, file);
      } else if (!hashesEqual(present, bytes)) {
        throw logFault('tile_damaged', `${path} is already there with other content`);
      }
      // Also when it was there: its writer may have been killed between renaming and this.
      await syncDirectory(folder);
    });
  }

  async removePartials(path: string): Promise<void> {
    const { file, width } = this.#locate(path);
    if (width !== TILE_WIDTH) throw new TypeError('only a full tile supersedes partial ones');
    return guard(`partial tiles of ${path} cannot be removed`, async () => {
      if ((await statOf(file)) === undefined) throw logFault('tile_damaged', `${path} is missing`);
      await rm(`${file}.p`, { recursive: true, force: true });
      // Should a partial be asked for again, its folder must be made durable again.
      this.#folders.delete(`${file}.p`);
    });
  }

  async readCheckpoint(): Promise<string | undefined> {
    return guard('the checkpoint cannot be read', async () => this.#currentCheckpoint());
  }

  async replaceCheckpoint(expected: string | undefined, next: string): Promise<boolean> {
    const head = headOf(next, 'the checkpoint to publish');
    return guard('the checkpoint cannot be replaced', async () => {
      await this.#makeFolder(this.#root);
      const temporary = await this.#writeTemporary(Buffer.from(next));
      let replaced = false;
      try {
        replaced = withCheckpointLock(join(this.#root, 'checkpoint.lock'), () => {
          const current = this.#currentCheckpoint();
          if (current !== expected) return false;
          if (current !== undefined) checkGrowth(headOf(current, 'the published checkpoint'), head);
          renameDurablySync(temporary, this.#checkpointFile);
          return true;
        });
      } finally {
        if (!replaced) await rm(temporary, { force: true });
      }
      return replaced;
    });
  }

  get #checkpointFile(): string {
    return join(this.#root, 'checkpoint');
  }

  #currentCheckpoint(): string | undefined {
    const status = statSync(this.#checkpointFile, { throwIfNoEntry: false });
    if (status === undefined) return undefined;
    if (status.size > MAX_NOTE_BYTES)
      throw logFault('checkpoint_damaged', 'the published checkpoint is too long');
    return readFileSync(this.#checkpointFile, 'utf8');
  }

  #locate(path: string): { file: string; maxBytes: number; width: number; isBundle: boolean } {
    // INVARIANT: only canonical tile paths reach the file system, so none leads out of the directory.
    const tile = parseTilePath(path);
    if (isDenial(tile)) throw new TypeError('not a tile path');
    const isBundle = tile.level === 'entries';
    const maxBytes = isBundle ? MAX_BUNDLE_BYTES : tile.width * HASH_BYTES;
    return { file: join(this.#root, path), maxBytes, width: tile.width, isBundle };
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.size === 0) await this.#prepareTemporaries();
    if (this.#folders.has(folder)) return;
    await makeDirectory(this.#root, folder);
    this.#folders.add(folder);
  }

  async #prepareTemporaries(): Promise<void> {
    const folder = join(this.#root, TEMPORARY_FOLDER);
    mkdirSync(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      const status = await statOf(join(folder, name));
      if (status !== undefined && Date.now() - status.mtimeMs > ABANDONED_AFTER_MS) {
        await rm(join(folder, name), { force: true });
      }
    }
  }

  async #writeTemporary(bytes: Uint8Array): Promise<string> {
    this.#temporaries += 1;
    const name = `${process.pid}-${crypto.randomUUID()}-${this.#temporaries}`;
    const temporary = join(this.#root, TEMPORARY_FOLDER, name);
    await writeDurably(temporary, bytes);
    return temporary;
  }
}

/** Maps whatever the file system throws to the one error a log's callers know. */
async function guard<T>(problem: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw unavailableBecause(problem, error);
  }
}

async function readBounded(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const status = await statOf(file);
  if (status === undefined) return undefined;
  if (!status.isFile() || status.size > maxBytes) throw logFault('tile_damaged', `${file} is not a tile`);
  return readFile(file);
}

async function statOf(file: string) {
  try {
    return await stat(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}

function headOf(note: string, what: string): Checkpoint {
  const checkpoint = peekCheckpoint(note);
  if (isDenial(checkpoint)) throw logFault('checkpoint_damaged', `${what} is damaged: ${checkpoint.detail}`);
  return checkpoint;
}

function checkGrowth(current: Checkpoint, next: Checkpoint): void {
  if (current.origin !== next.origin)
    throw logFault('history_differs', 'the published checkpoint is of another log');
  if (next.size < current.size) throw logFault('rolled_back', 'the checkpoint would go backwards');
  if (next.size === current.size && !hashesEqual(next.rootHash, current.rootHash)) {
    throw logFault('history_differs', 'the checkpoint would fork the log');
  }
}
