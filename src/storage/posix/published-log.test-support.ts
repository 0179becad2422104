import { SigningKey } from '../../key/index.ts';
import {
  CompactTree,
  encodeEntryBundle,
  formatCheckpoint,
  formatTilePath,
  HASH_BYTES,
  hashesEqual,
  leafHash,
  MerkleTree,
  noteSigner,
  noteVerifier,
  openCheckpoint,
  readEntryBundle,
  rootAt,
  signNote,
  TILE_WIDTH,
  type TileFetcher,
  type TileStore,
  withTiles,
} from '../../tlog/index.ts';
import type { TileSource } from './publish-tiles.ts';

/** A log of made-up entries for the tests of this folder. */
export const ORIGIN = 'example.com/log';
const key = SigningKey.fromSeed(new Uint8Array(32).fill(1));
const signer = noteSigner(ORIGIN, key);
const verifier = noteVerifier(ORIGIN, key.publicKey);

export const entryAt = (index: number): Uint8Array => Buffer.from(`entry ${index} `.repeat(1 + (index % 5)));

export class FakeLog implements TileSource {
  readonly #tree = new MerkleTree();
  readonly #entryAt: (index: number) => Uint8Array;

  constructor(size: number, at: (index: number) => Uint8Array = entryAt) {
    this.#entryAt = at;
    for (let index = 0; index < size; index += 1) this.#tree.append(leafHash(at(index)));
  }

  read(start: number, count: number): Uint8Array[] {
    const length = Math.max(0, Math.min(count, this.#tree.size - start));
    return Array.from({ length }, (_, at) => this.#entryAt(start + at));
  }

  readBundle(start: number, count: number): Uint8Array {
    return encodeEntryBundle(this.read(start, count));
  }

  readHashes(level: number, start: number, count: number): Uint8Array {
    return this.#tree.readHashes(level, start, count);
  }

  checkpointAt(size: number, origin: string = ORIGIN): string {
    return signNote(formatCheckpoint({ origin, size, rootHash: this.#tree.root(size) }), [signer]);
  }
}

/** A store without a disk under it, for trees that would take long to write. */
export class FakeStore implements TileStore {
  readonly #tiles = new Map<string, Uint8Array>();
  #checkpoint: string | undefined;

  async read(path: string): Promise<Uint8Array | undefined> {
    return this.#tiles.get(path);
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.#tiles.set(path, bytes);
  }

  async removePartials(path: string): Promise<void> {
    for (const other of this.#tiles.keys()) if (other.startsWith(`${path}.p/`)) this.#tiles.delete(other);
  }

  async readCheckpoint(): Promise<string | undefined> {
    return this.#checkpoint;
  }

  async replaceCheckpoint(expected: string | undefined, next: string): Promise<boolean> {
    if (this.#checkpoint !== expected) return false;
    this.#checkpoint = next;
    return true;
  }
}

/**
 * The size of the published tree, after checking everything a client can: the signature, every hash at every level against
 * the root, and every entry against its hash. Throws at the first thing missing or wrong; 0 when nothing is published.
 */
export async function auditPublished(
  store: TileFetcher & Pick<TileStore, 'readCheckpoint'>,
): Promise<number> {
  const note = await store.readCheckpoint();
  if (note === undefined) return 0;
  const checkpoint = openCheckpoint(note, verifier);
  if (!('size' in checkpoint)) throw new Error(checkpoint.detail);
  const { size, rootHash } = checkpoint;
  if (size === 0) return 0;
  const level0 = await withTiles(store, size, (reader) => reader.readHashes(0, 0, size));
  const edge = CompactTree.empty();
  const upper: { level: number; index: number; hash: Uint8Array }[] = [];
  for (let at = 0; at < level0.byteLength; at += HASH_BYTES) {
    const [, ...stored] = edge.append(level0.subarray(at, at + HASH_BYTES));
    upper.push(...stored);
  }
  if (!hashesEqual(edge.root(), rootHash)) throw new Error('level 0 has another root');
  for (const { level, index, hash } of upper) {
    const published = await withTiles(store, size, (reader) => reader.readHashes(level, index, 1));
    if (!hashesEqual(published, hash)) throw new Error(`level ${level} has another hash at ${index}`);
  }
  if (!hashesEqual(await withTiles(store, size, (reader) => rootAt(reader, size)), rootHash)) {
    throw new Error('the tiles have another root');
  }
  for (let bundle = 0; bundle * TILE_WIDTH < size; bundle += 1) {
    await readEntryBundle(store, size, bundle, level0.subarray(bundle * TILE_WIDTH * HASH_BYTES));
  }
  return size;
}

/** Where the first partial bundle of a log of `size` < 256 lies. */
export const partialBundle = (size: number): string =>
  formatTilePath({ level: 'entries', index: 0, width: size });
