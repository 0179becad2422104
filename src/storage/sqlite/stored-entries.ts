import { type Checkpoint, CompactTree, hashesEqual, leafHash } from '../../tlog/index.ts';
import type { Head } from './batch-writer.ts';
import type { ReportProblem } from './log-problem.ts';
import type { EntryRow, SqliteLogReader } from './log-reader.ts';
import type { PublishedTiles } from './published-tiles.ts';

/** What is compared with what. */
export interface LogCopies {
  readonly reader: SqliteLogReader;
  readonly head: Head;
  /** Signed by the log's key. */
  readonly checkpoint: Checkpoint | undefined;
  readonly tiles: PublishedTiles;
  readonly report: ReportProblem;
}

/** Entries compared at once: one tile's worth. */
const CHUNK = 256;

/** Where the leaf hashes stand that give the signed root; `nowhere` when neither copy does, or nothing is signed. */
export type SignedLeaves = 'database' | 'tiles' | 'nowhere';

export async function findSignedLeaves(copies: LogCopies): Promise<SignedLeaves> {
  const { reader, checkpoint, tiles, report } = copies;
  if (checkpoint === undefined) return 'nowhere';
  const { size, rootHash } = checkpoint;
  const stored = new LeafCopy();
  const published = new LeafCopy();
  for (let start = 0; start < size; start += CHUNK) {
    const count = Math.min(CHUNK, size - start);
    stored.add(reader.readRows(start, count).map((row) => row?.leaf));
    published.add((await tiles.leaves(start / CHUNK)) ?? [undefined]);
  }
  if (stored.gives(size, rootHash)) return 'database';
  report('history_differs', 'database', `its first ${size} leaf hashes do not give the root that was signed`);
  if (published.gives(size, rootHash)) return 'tiles';
  report(
    'history_differs',
    'tile/0',
    'the published leaf hashes do not give the root that was signed either',
  );
  return 'nowhere';
}

class LeafCopy {
  readonly #tree = CompactTree.empty();
  #complete = true;

  add(leaves: readonly (Uint8Array | undefined)[]): void {
    for (const leaf of leaves) {
      if (leaf === undefined) this.#complete = false;
      else if (this.#complete) this.#tree.append(leaf);
    }
  }

  gives(size: number, rootHash: Uint8Array): boolean {
    return this.#complete && this.#tree.size === size && hashesEqual(this.#tree.root(), rootHash);
  }
}

/** Goes through the stored entries once and reports what differs from what was signed for. */
export class StoredEntries {
  readonly #copies: LogCopies;
  readonly #signed: SignedLeaves;
  readonly #tree = CompactTree.empty();
  #trustedSize = 0;

  constructor(copies: LogCopies, signed: SignedLeaves) {
    this.#copies = copies;
    this.#signed = signed;
  }

  /** Leading entries found to be as signed, also after `verify` has thrown. */
  get trustedSize(): number {
    return this.#trustedSize;
  }

  async verify(): Promise<void> {
    const { reader, head, tiles, report } = this.#copies;
    for (let start = 0; start < head.size; start += CHUNK) {
      const rows = reader.readRows(start, Math.min(CHUNK, head.size - start));
      const leaves = (await tiles.leaves(start / CHUNK)) ?? [];
      const bundle = (await tiles.entries(start / CHUNK)) ?? [];
      for (const [at, row] of rows.entries()) {
        const leaf = this.#checkEntry(start + at, row, leaves[at]);
        if (leaf === undefined) return;
        if (this.#isSignedFor(start + at)) this.#checkPublished(start / CHUNK, leaf, leaves[at], bundle[at]);
        await this.#checkNodes(leaf);
      }
      for (const { where, detail } of tiles.takeProblems()) report('tile_damaged', where, detail);
    }
    if (!hashesEqual(this.#tree.root(), head.rootHash)) {
      report('damaged', 'database', 'the stored root is not the root of the stored entries');
    }
  }

  #isSignedFor(index: number): boolean {
    return index < (this.#copies.checkpoint?.size ?? 0);
  }

  /** The leaf hash the entry should have; undefined when nobody can tell any more. */
  #checkEntry(
    index: number,
    row: EntryRow | undefined,
    published: Uint8Array | undefined,
  ): Uint8Array | undefined {
    const { report } = this.#copies;
    const right = this.#signed === 'tiles' && this.#isSignedFor(index) ? published : row?.leaf;
    if (row === undefined) {
      report('entry_altered', `entry ${index}`, 'it is missing or damaged');
    } else if (right === undefined || !hashesEqual(leafHash(row.body), right)) {
      report('entry_altered', `entry ${index}`, 'it is not what was appended: its hash is not its leaf hash');
    } else if (!hashesEqual(row.leaf, right)) {
      report('entry_altered', `entry ${index}`, 'its stored leaf hash is not the one that was signed for');
    } else if (this.#signed !== 'nowhere' && this.#isSignedFor(index) && this.#trustedSize === index) {
      this.#trustedSize = index + 1;
    }
    return right;
  }

  #checkPublished(
    tile: number,
    leaf: Uint8Array,
    inTile: Uint8Array | undefined,
    entry: Uint8Array | undefined,
  ): void {
    const { tiles } = this.#copies;
    if (inTile === undefined || !hashesEqual(inTile, leaf)) tiles.damage('leaves', tile);
    if (entry === undefined || !hashesEqual(leafHash(entry), leaf)) tiles.damage('entries', tile);
  }

  async #checkNodes(leaf: Uint8Array): Promise<void> {
    const { reader, tiles, report } = this.#copies;
    for (const { level, index, hash } of this.#tree.append(leaf)) {
      if (level === 0) continue;
      if (!hashesEqual(reader.readHashes(level, index, 1), hash)) {
        report('damaged', `tree hash ${index} of level ${level}`, 'it is not the hash of what is under it');
      }
      await tiles.checkNode(level, index, hash);
    }
  }
}
