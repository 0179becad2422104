import { setImmediate } from 'node:timers/promises';
import { isDenial } from '../../denial/index.ts';
import {
  CompactTree,
  formatTilePath,
  hashesEqual,
  leafHash,
  leafHashes,
  parseEntryBundle,
  type StoredHash,
  TILE_WIDTH,
} from '../../tlog/index.ts';
import type { FileComparison } from '../posix/index.ts';
import type { Head } from './batch-writer.ts';
import type { SqliteLogReader } from './log-reader.ts';
import type { PublishedTiles } from './published-tiles.ts';

interface Copies {
  readonly reader: SqliteLogReader;
  readonly head: Head;
  /** What the log's key has signed. */
  readonly signed: Head;
  /** The log's folder. */
  readonly files: FileComparison;
  /** Under `signed`. */
  readonly tiles: PublishedTiles;
}

/**
 * Whether every copy of every entry and hash is what was signed for, found out in one pass. Where it is not, this doesn't
 * say what is wrong: `StoredEntries` does, which looks at everything twice.
 *
 * INVARIANT: true only if each stored body has the stored leaf hash, the hash published for it, and the published bytes;
 * each stored and published hash above is that of what is under it; and the tree has the signed root at the signed
 * size, and the stored root in the end.
 */
export async function areEntriesIntact(copies: Copies): Promise<boolean> {
  const { reader, signed, head, tiles } = copies;
  if (signed.size > head.size) return false;
  const tree = CompactTree.empty();
  for (let tile = 0; tile < Math.floor(signed.size / TILE_WIDTH); tile += 1) {
    const leaves = intactLeaves(tile, copies);
    if (leaves === undefined) return false;
    if (!(await areNodesIntact(tree.appendTile(leaves), reader, tiles))) return false;
    // Nothing above need have waited for anything: whatever else this thread does gets its turn.
    await setImmediate();
  }
  return (await isRestIntact(tree, copies)) && tiles.takeProblems().length === 0;
}

/** The leaf hashes of a full tile, if they and its entries are the same wherever they stand. */
function intactLeaves(tile: number, { reader, files }: Copies): Uint8Array | undefined {
  const stored = reader.readTile(tile * TILE_WIDTH, TILE_WIDTH);
  const path = (level: 0 | 'entries') => formatTilePath({ level, index: tile, width: TILE_WIDTH });
  // Once the published bundle is known to be the stored one byte for byte, hashing one of them is hashing both.
  if (stored === undefined || !files.holds(path('entries'), stored.bundle)) return undefined;
  const entries = parseEntryBundle(stored.bundle, TILE_WIDTH);
  if (isDenial(entries)) return undefined;
  const leaves = leafHashes(entries);
  return isSame(stored.leaves, leaves) && files.holds(path(0), leaves) ? leaves : undefined;
}

/** The entries from the end of `tree` on, one by one: those of the partial tile, and those that no checkpoint covers. */
async function isRestIntact(tree: CompactTree, { reader, head, signed, tiles }: Copies): Promise<boolean> {
  let isSignedRoot = tree.size === signed.size && hashesEqual(tree.root(), signed.rootHash);
  for (let start = tree.size; start < head.size; start += TILE_WIDTH) {
    const [leaves = [], entries = []] = await Promise.all([
      tiles.leaves(start / TILE_WIDTH),
      tiles.entries(start / TILE_WIDTH),
    ]);
    const rows = reader.readRows(start, Math.min(TILE_WIDTH, head.size - start));
    for (const [at, row] of rows.entries()) {
      if (row === undefined) return false;
      const leaf = leafHash(row.body);
      if (!isSame(row.leaf, leaf)) return false;
      if (start + at < signed.size && !(isSame(leaves[at], leaf) && isSame(entries[at], row.body)))
        return false;
      if (!(await areNodesIntact(tree.append(leaf), reader, tiles))) return false;
      if (tree.size === signed.size) isSignedRoot = hashesEqual(tree.root(), signed.rootHash);
    }
  }
  return isSignedRoot && hashesEqual(tree.root(), head.rootHash);
}

async function areNodesIntact(
  completed: readonly StoredHash[],
  reader: SqliteLogReader,
  tiles: PublishedTiles,
): Promise<boolean> {
  for (const { level, index, hash } of completed) {
    if (level === 0) continue;
    if (!hashesEqual(reader.readHashes(level, index, 1), hash)) return false;
    // What is wrong here is among the tiles' problems in the end.
    await tiles.checkNode(level, index, hash);
  }
  return true;
}

function isSame(found: Uint8Array | undefined, expected: Uint8Array): boolean {
  return found !== undefined && Buffer.compare(found, expected) === 0;
}
