import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CompactTree, leafHash } from '../../src/tlog/index.ts';

/**
 * What someone can do who may write a log's files but holds no key: adds an entry to log.sqlite, with its leaf hash, the
 * tree hashes it completes, and a head that fits them. Returns its index.
 */
export function plantEntry(directory: string, entry: Uint8Array): number {
  const db = new DatabaseSync(join(directory, 'log.sqlite'));
  const tree = CompactTree.empty();
  for (const { leaf } of db.prepare('SELECT leaf FROM entry ORDER BY idx').iterate()) {
    if (leaf instanceof Uint8Array) tree.append(leaf);
  }
  const index = tree.size;
  db.prepare('INSERT INTO entry VALUES (?, ?, ?)').run(index, leafHash(entry), entry);
  for (const { level, index: at, hash } of tree.append(leafHash(entry))) {
    if (level > 0) db.prepare('INSERT INTO node VALUES (?, ?, ?)').run(level, at, hash);
  }
  db.prepare('UPDATE log SET size = ?, root = ?').run(tree.size, tree.root());
  db.close();
  return index;
}
