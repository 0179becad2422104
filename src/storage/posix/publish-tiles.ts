import { isDenial } from '../../denial/index.ts';
import {
  formatTilePath,
  type HashReader,
  hashesEqual,
  logFault,
  peekCheckpoint,
  rootAt,
  TILE_WIDTH,
  type Tile,
  type TileStore,
  tilesBetween,
} from '../../tlog/index.ts';

/** What publishing reads of a log: its entries and stored hashes, all of them durable. */
export interface TileSource extends HashReader {
  /** At most 256 entries as their bundle. @throws LogUnavailable where one is missing. */
  readBundle(start: number, count: number): Uint8Array;
}

/** Tiles written at once. Syncs that run side by side cost the file system hardly more than one. */
const WRITES_AT_ONCE = 4;

export interface Publication {
  readonly source: TileSource;
  readonly store: TileStore;
  /** The signed note to publish. */
  readonly checkpoint: string;
  /**
   * Write every tile again, not only those the published checkpoint lacks: to rebuild a directory whose tiles were lost.
   * A tile that is there with other bytes still stops the publication.
   */
  readonly rebuild?: boolean;
}

/**
 * Publishes a checkpoint: writes the tiles and entry bundles its tree has and the published one lacks, each durable,
 * then moves the checkpoint by compare-and-swap. Stopped at any byte, it leaves the old checkpoint with all its tiles, and
 * the next call completes the work. Calling it again with the same checkpoint changes nothing.
 *
 * INVARIANT: nobody sees a checkpoint some tile of which is missing, and it never moves to a tree that doesn't extend the
 * published one (checked against the source, whose root must be the checkpoint's).
 *
 * @throws LogUnavailable when the published checkpoint, the source and the new checkpoint are not one growing tree, or
 * when someone else moved the checkpoint meanwhile.
 */
export async function publishTiles(publication: Publication): Promise<void> {
  const { source, store, checkpoint, rebuild = false } = publication;
  const next = headOf(checkpoint, 'the checkpoint to publish');
  const published = await store.readCheckpoint();
  const old = published === undefined ? undefined : headOf(published, 'the published checkpoint');
  if (old !== undefined) {
    if (old.origin !== next.origin)
      throw logFault('history_differs', 'the published checkpoint is of another log');
    if (old.size > next.size) throw logFault('rolled_back', 'the published checkpoint is ahead of the log');
    checkRoot(source, old, 'the published checkpoint is not a head of this log');
  }
  checkRoot(source, next, 'the checkpoint to publish is not a head of this log');
  const completed: Tile[] = [];
  for (const tiles of groupsOf(tilesBetween(rebuild ? 0 : (old?.size ?? 0), next.size))) {
    await allSettled(tiles.map(async (tile) => store.write(formatTilePath(tile), tileBytes(source, tile))));
    completed.push(...tiles.filter(({ width }) => width === TILE_WIDTH));
  }
  if (published !== checkpoint && !(await store.replaceCheckpoint(published, checkpoint))) {
    throw logFault('checkpoint_moved', 'the checkpoint was moved by someone else');
  }
  // Only now: the old checkpoint's readers were entitled to the partial tiles until here.
  for (const tile of completed) await store.removePartials(formatTilePath(tile));
}

/** Some tiles at a time, all of one level: what a tile covers is there before it. */
function* groupsOf(tiles: Iterable<Tile>): Generator<Tile[]> {
  let group: Tile[] = [];
  for (const tile of tiles) {
    if (group.length === WRITES_AT_ONCE || (group[0] !== undefined && group[0].level !== tile.level)) {
      yield group;
      group = [];
    }
    group.push(tile);
  }
  if (group.length > 0) yield group;
}

/** Rejects with the first failure, but not before all have ended: nothing is written after a publication has failed. */
async function allSettled(writes: readonly Promise<void>[]): Promise<void> {
  for (const write of await Promise.allSettled(writes)) if (write.status === 'rejected') throw write.reason;
}

function headOf(note: string, what: string): { origin: string; size: number; rootHash: Uint8Array } {
  const checkpoint = peekCheckpoint(note);
  if (isDenial(checkpoint)) throw logFault('checkpoint_damaged', `${what} is damaged: ${checkpoint.detail}`);
  return checkpoint;
}

function checkRoot(source: HashReader, head: { size: number; rootHash: Uint8Array }, problem: string): void {
  if (!hashesEqual(rootAt(source, head.size), head.rootHash)) throw logFault('history_differs', problem);
}

/** What a tile or bundle of the log holds. */
export function tileBytes(source: TileSource, tile: Tile): Uint8Array {
  const start = tile.index * TILE_WIDTH;
  if (tile.level !== 'entries') return source.readHashes(tile.level, start, tile.width);
  return source.readBundle(start, tile.width);
}
