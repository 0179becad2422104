import { isDenial } from '../../denial/index.ts';
import {
  type Checkpoint,
  LogUnavailable,
  type NoteVerifier,
  openCheckpoint,
  type TileStore,
} from '../../tlog/index.ts';
import { openPosixTileStore } from '../posix/index.ts';
import type { Head } from './batch-writer.ts';
import { causeOf } from './failure.ts';
import { areEntriesIntact } from './intact-entries.ts';
import { SqliteLogReader } from './log-reader.ts';
import { PublishedTiles } from './published-tiles.ts';
import { findSignedLeaves, StoredEntries } from './stored-entries.ts';

/** One thing that is wrong, and where: `entry 17`, a tile's path, `checkpoint` or `database`. */
export interface LogProblem {
  readonly where: string;
  readonly detail: string;
}

export interface LogVerification {
  /** Nothing is wrong, and a checkpoint signed by the log covers the entries up to `checkpoint.size`. */
  readonly verified: boolean;
  /** In the order they were found; the first hundred. */
  readonly problems: readonly LogProblem[];
  /** Undefined where the database cannot be read. */
  readonly head: Head | undefined;
  /** The published checkpoint, if the log's key signed it. */
  readonly checkpoint: Checkpoint | undefined;
  /** Entries below this index are, as stored in the database, those the log's key has signed for. */
  readonly trustedSize: number;
}

const MAX_PROBLEMS = 100;

/**
 * Recomputes a log from its entries and compares what it finds with the stored hashes, the published tiles and bundles,
 * and the signed checkpoint. Reads beside a running writer; memory is bounded whatever the log's size.
 *
 * Two places hold leaf hashes, the database and the level-0 tiles. The one whose root the log's key has signed says
 * which entry is wrong where they differ.
 */
export async function verifyLog(directory: string, logKey: NoteVerifier): Promise<LogVerification> {
  const problems: LogProblem[] = [];
  const report = (where: string, detail: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ where, detail });
  };
  const store = openPosixTileStore(directory);
  // The checkpoint is read before the head: the database is never behind it.
  const checkpoint = await readSignedCheckpoint(store, logKey, report);
  let head: Head | undefined;
  let entries: StoredEntries | undefined;
  let trustedSize = 0;
  let reader: SqliteLogReader | undefined;
  try {
    reader = new SqliteLogReader(directory);
    head = reader.head();
    if (reader.origin !== logKey.name)
      report('database', `this is the log ${reader.origin}, not ${logKey.name}`);
    if (checkpoint !== undefined && checkpoint.size > head.size) {
      report('database', `it has ${head.size} of the ${checkpoint.size} entries that were signed for`);
    }
    if (checkpoint !== undefined && (await isIntact(reader, head, checkpoint, store))) {
      trustedSize = checkpoint.size;
    } else {
      const tiles = new PublishedTiles(store, checkpoint?.size ?? 0);
      const signed = await findSignedLeaves({ reader, head, checkpoint, tiles, report });
      entries = new StoredEntries({ reader, head, checkpoint, tiles, report }, signed);
      await entries.verify();
    }
    for (const detail of reader.integrityProblems()) report('database', detail);
  } catch (error) {
    report('database', causeOf(error));
  } finally {
    reader?.close();
  }
  trustedSize = entries?.trustedSize ?? trustedSize;
  return { verified: problems.length === 0, problems, head, checkpoint, trustedSize };
}

/** False also where something cannot be read: what, and where, is then found out entry by entry. */
async function isIntact(
  reader: SqliteLogReader,
  head: Head,
  signed: Head,
  store: TileStore,
): Promise<boolean> {
  try {
    return await areEntriesIntact({ reader, head, signed, tiles: new PublishedTiles(store, signed.size) });
  } catch (error) {
    if (error instanceof LogUnavailable) return false;
    throw error;
  }
}

async function readSignedCheckpoint(
  store: TileStore,
  logKey: NoteVerifier,
  report: (where: string, detail: string) => void,
): Promise<Checkpoint | undefined> {
  try {
    const note = await store.readCheckpoint();
    if (note === undefined) {
      report('checkpoint', 'none is published, so nothing is signed for');
      return undefined;
    }
    const opened = openCheckpoint(note, logKey);
    if (!isDenial(opened)) return opened;
    report('checkpoint', opened.detail);
  } catch (error) {
    report('checkpoint', causeOf(error));
  }
  return undefined;
}
