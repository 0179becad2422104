import { CompactTree, hashesEqual, leafHash, type StoredHash } from '../../tlog/index.ts';
import type { Head } from './batch-writer.ts';
import type { SqliteLogReader } from './log-reader.ts';
import type { PublishedTiles } from './published-tiles.ts';

/** Entries compared at once: one tile's worth. */
const CHUNK = 256;

interface Copies {
  readonly reader: SqliteLogReader;
  readonly head: Head;
  /** What the log's key has signed. */
  readonly signed: Head;
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
export async function areEntriesIntact({ reader, head, signed, tiles }: Copies): Promise<boolean> {
  if (signed.size > head.size) return false;
  const published = (start: number) =>
    Promise.all([tiles.leaves(start / CHUNK), tiles.entries(start / CHUNK)]);
  const tree = CompactTree.empty();
  let isSignedRoot = signed.size === 0 && hashesEqual(tree.root(), signed.rootHash);
  // Read while the chunk before it is hashed.
  let next = published(0);
  for (let start = 0; start < head.size; start += CHUNK) {
    const [leaves = [], entries = []] = await next;
    next = published(start + CHUNK);
    const rows = reader.readRows(start, Math.min(CHUNK, head.size - start));
    for (const [at, row] of rows.entries()) {
      if (row === undefined) return false;
      const leaf = leafHash(row.body);
      if (!isSame(row.leaf, leaf)) return false;
      if (start + at < signed.size && !(isSame(leaves[at], leaf) && isSame(entries[at], row.body)))
        return false;
      const completed = tree.append(leaf);
      // Waiting costs as much as hashing: only where the leaf completes a subtree that is stored.
      if (completed.length > 1 && !(await areNodesIntact(completed, reader, tiles))) return false;
      if (tree.size === signed.size) isSignedRoot = hashesEqual(tree.root(), signed.rootHash);
    }
  }
  return isSignedRoot && hashesEqual(tree.root(), head.rootHash) && tiles.takeProblems().length === 0;
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
