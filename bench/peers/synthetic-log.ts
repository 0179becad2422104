/** Logs larger than anybody waits for: the writer's rows without the writer's syncs. */
import type { DatabaseSync } from 'node:sqlite';
import type { Signer } from '../../src/key/index.ts';
import { openPosixTileStore } from '../../src/storage/index.ts';
import { CommitSeal, deriveCommitKey } from '../../src/storage/sqlite/commit-seal.ts';
import { readLogRow } from '../../src/storage/sqlite/log-row.ts';
import { resumeTree } from '../../src/storage/sqlite/resume-tree.ts';
import { openForWriting } from '../../src/storage/sqlite/schema.ts';
import { type CompactTree, formatCheckpoint, leafHash, noteSigner, signNote } from '../../src/tlog/index.ts';
import { makeFiller } from './filler.ts';

const ROWS_PER_TRANSACTION = 100_000;

interface ClosedLog {
  readonly directory: string;
  readonly origin: string;
  readonly signer: Signer;
}

/**
 * Extends a log that nobody has open to `size` entries. Entries, index keys, tree hashes, the sealed head and the signed
 * checkpoint are what the writer would have stored. Unlike with the writer, transactions are large and not synced, and no
 * tiles are published for the entries added: neither the writer nor a reader of the database reads tiles.
 */
export async function extendLog({ directory, origin, signer }: ClosedLog, size: number): Promise<void> {
  const seal = new CommitSeal(deriveCommitKey(signer, origin), origin);
  const db = openForWriting(directory, origin);
  let rootHash: Uint8Array;
  try {
    db.exec('PRAGMA synchronous = OFF');
    const tree = resumeTree(db, readLogRow(db));
    let transactions = 0;
    while (tree.size < size) {
      db.exec('BEGIN IMMEDIATE');
      addRows(db, tree, Math.min(size, tree.size + ROWS_PER_TRANSACTION));
      const head = { size: tree.size, rootHash: tree.root() };
      db.prepare('UPDATE log SET size = ?, root = ?, seal = ?').run(
        head.size,
        head.rootHash,
        seal.seal(head),
      );
      db.exec('COMMIT; PRAGMA wal_checkpoint(PASSIVE)');
      transactions += 1;
      if (transactions % 20 === 0) console.error(`  ${tree.size.toLocaleString('en')} entries`);
    }
    rootHash = tree.root();
  } finally {
    db.close();
  }
  const store = openPosixTileStore(directory);
  const checkpoint = signNote(formatCheckpoint({ origin, size, rootHash }), [noteSigner(origin, signer)]);
  await store.replaceCheckpoint(await store.readCheckpoint(), checkpoint);
}

function addRows(db: DatabaseSync, tree: CompactTree, until: number): void {
  const addEntry = db.prepare('INSERT INTO entry VALUES (?, ?, ?)');
  const addNode = db.prepare('INSERT INTO node VALUES (?, ?, ?)');
  const addKey = db.prepare('INSERT INTO lookup VALUES (?, ?)');
  while (tree.size < until) {
    const index = tree.size;
    const { entry, key } = makeFiller();
    const leaf = leafHash(entry);
    addEntry.run(index, leaf, entry);
    addKey.run(key, index);
    for (const { level, index: at, hash } of tree.append(leaf)) {
      if (level > 0) addNode.run(level, at, hash);
    }
  }
}
