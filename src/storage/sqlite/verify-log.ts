import { isDenial } from '../../denial/index.ts';
import {
  type Checkpoint,
  LogUnavailable,
  type NoteVerifier,
  openCheckpoint,
  type TileStore,
} from '../../tlog/index.ts';
import { causeOf, faultOf } from '../driver-fault.ts';
import { FileComparison, furthestTile, openPosixTileStore } from '../posix/index.ts';
import type { Head } from './batch-writer.ts';
import { areEntriesIntact } from './intact-entries.ts';
import { type IntegrityThread, startIntegrityThread } from './integrity-thread.ts';
import type { LogProblem, ReportProblem } from './log-problem.ts';
import { SqliteLogReader } from './log-reader.ts';
import { PublishedTiles } from './published-tiles.ts';
import { findSignedLeaves, StoredEntries } from './stored-entries.ts';

export interface LogVerification {
  /** Nothing is wrong, and a checkpoint signed by the log covers the entries up to `checkpoint.size`. */
  readonly verified: boolean;
  /** In the order they were found; the first hundred. */
  readonly problems: readonly LogProblem[];
  /** What is no problem by itself, but may be the trace of one. */
  readonly notes: readonly LogProblem[];
  /** Undefined where the database cannot be read. */
  readonly head: Head | undefined;
  /** The published checkpoint, if the log's key signed it. */
  readonly checkpoint: Checkpoint | undefined;
  /** Entries below this index are, as stored in the database, those the log's key has signed for. */
  readonly trustedSize: number;
}

const MAX_PROBLEMS = 100;

/** Fewer are checked before a thread has started. */
const ENTRIES_WORTH_A_THREAD = 50_000;

/**
 * Recomputes a log from its entries and compares what it finds with the stored hashes, the published tiles and bundles,
 * and the signed checkpoint. Reads beside a running writer; memory is bounded whatever the log's size.
 *
 * Two places hold leaf hashes, the database and the level-0 tiles. The one whose root the log's key has signed says
 * which entry is wrong where they differ.
 */
export async function verifyLog(
  directory: string,
  logKey: NoteVerifier,
  entriesWorthAThread: number = ENTRIES_WORTH_A_THREAD,
): Promise<LogVerification> {
  const problems: LogProblem[] = [];
  const report: ReportProblem = (code, where, detail) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ code, where, detail });
  };
  const store = openPosixTileStore(directory);
  // Tiles, then the checkpoint, then the head: each is written before the one that was read before it.
  const reach = reachOfTiles(directory, report);
  const checkpoint = await readSignedCheckpoint(store, logKey, report);
  let head: Head | undefined;
  let entries: StoredEntries | undefined;
  let trustedSize = 0;
  let reader: SqliteLogReader | undefined;
  let integrity: IntegrityThread | undefined;
  try {
    reader = new SqliteLogReader(directory);
    head = reader.head();
    if (head.size >= entriesWorthAThread) integrity = startIntegrityThread(directory);
    if (reader.origin !== logKey.name)
      report('history_differs', 'database', `this is the log ${reader.origin}, not ${logKey.name}`);
    if (checkpoint !== undefined && checkpoint.size > head.size) {
      const detail = `it has ${head.size} of the ${checkpoint.size} entries that were signed for`;
      report('rolled_back', 'database', detail);
    } else if (reach > head.size) {
      report('rolled_back', 'database', `it has ${head.size} entries and tiles of ${reach} are published`);
    }
    if (
      checkpoint !== undefined &&
      (await isIntact(directory, { reader, head, signed: checkpoint, store }))
    ) {
      trustedSize = checkpoint.size;
    } else {
      const tiles = new PublishedTiles(store, checkpoint?.size ?? 0);
      const signed = await findSignedLeaves({ reader, head, checkpoint, tiles, report });
      entries = new StoredEntries({ reader, head, checkpoint, tiles, report }, signed);
      await entries.verify();
    }
    const findings = (await integrity?.problems) ?? reader.integrityProblems();
    for (const detail of findings) report('damaged', 'database', detail);
  } catch (error) {
    report(faultOf(error), 'database', causeOf(error));
  } finally {
    reader?.close();
    await integrity?.stop();
  }
  trustedSize = entries?.trustedSize ?? trustedSize;
  const notes = checkpoint === undefined ? [] : notesOn(checkpoint, reach);
  return { verified: problems.length === 0, problems, notes, head, checkpoint, trustedSize };
}

function reachOfTiles(directory: string, report: ReportProblem): number {
  try {
    return furthestTile(directory);
  } catch (error) {
    report(faultOf(error), 'tile/0', causeOf(error));
    return 0;
  }
}

function notesOn({ size }: Checkpoint, reach: number): LogProblem[] {
  if (reach <= size) return [];
  const detail = `it covers ${size} entries, and tiles of ${reach} are published`;
  return [{ code: 'checkpoint_behind', where: 'checkpoint', detail }];
}

/** False also where something cannot be read: what, and where, is then found out entry by entry. */
async function isIntact(
  directory: string,
  { store, ...copies }: { reader: SqliteLogReader; head: Head; signed: Head; store: TileStore },
): Promise<boolean> {
  const tiles = new PublishedTiles(store, copies.signed.size);
  try {
    return await areEntriesIntact({ ...copies, tiles, files: new FileComparison(directory) });
  } catch (error) {
    if (error instanceof LogUnavailable) return false;
    throw error;
  }
}

async function readSignedCheckpoint(
  store: TileStore,
  logKey: NoteVerifier,
  report: ReportProblem,
): Promise<Checkpoint | undefined> {
  try {
    const note = await store.readCheckpoint();
    if (note === undefined) {
      report('checkpoint_missing', 'checkpoint', 'none is published, so nothing is signed for');
      return undefined;
    }
    const opened = openCheckpoint(note, logKey);
    if (!isDenial(opened)) return opened;
    report('checkpoint_damaged', 'checkpoint', opened.detail);
  } catch (error) {
    report(faultOf(error), 'checkpoint', causeOf(error));
  }
  return undefined;
}
