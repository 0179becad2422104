import type { DatabaseSync } from 'node:sqlite';
import { CompactTree } from '../../tlog/compact-tree.ts';
import { hashesEqual, leafHash } from '../../tlog/hash.ts';
import { logFault } from '../../tlog/log.ts';
import type { Head } from './batch-writer.ts';
import { HashRows } from './hash-rows.ts';

/** Entries at the end of the log whose leaf hashes are recomputed when it is opened. */
const TAIL_ENTRIES = 256;

/** The right edge of the stored tree, after checking that it, the last entries and the head belong together. */
export function resumeTree(db: DatabaseSync, head: Head): CompactTree {
  const last = db.prepare('SELECT max(idx) AS last FROM entry').get()?.last ?? -1;
  if (last !== head.size - 1) {
    throw logFault('damaged', `the log says it has ${head.size} entries but its last one is ${String(last)}`);
  }
  const start = Math.max(0, head.size - TAIL_ENTRIES);
  for (const { idx, leaf, body } of db
    .prepare('SELECT idx, leaf, body FROM entry WHERE idx >= ? ORDER BY idx')
    .iterate(start)) {
    const intact =
      body instanceof Uint8Array && leaf instanceof Uint8Array && hashesEqual(leaf, leafHash(body));
    if (!intact) {
      throw logFault('entry_altered', `entry ${String(idx)} is not what was appended`);
    }
  }
  const tree = CompactTree.resume(head.size, new HashRows(db));
  if (!hashesEqual(tree.root(), head.rootHash)) {
    throw logFault('damaged', 'the stored hashes do not give the stored root');
  }
  return tree;
}
