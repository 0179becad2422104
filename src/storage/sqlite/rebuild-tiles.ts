import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { isDenial } from '../../denial/index.ts';
import { LogUnavailable, type NoteVerifier, openCheckpoint } from '../../tlog/index.ts';
import { openPosixTileStore, publishTiles } from '../posix/index.ts';
import { SqliteLogReader } from './log-reader.ts';
import { verifyLog } from './verify-log.ts';
import { WriterLock } from './writer-lock.ts';

/**
 * Writes all tiles and bundles under the published checkpoint again from the database, for a log whose tiles were lost or
 * damaged. What was there is moved aside to `tile.damaged-<time>`. The log must not be open.
 *
 * @throws LogUnavailable when the database itself is not what the checkpoint was signed over.
 */
export async function rebuildTiles(directory: string, logKey: NoteVerifier): Promise<void> {
  const lock = WriterLock.acquire(directory, 0);
  let reader: SqliteLogReader | undefined;
  try {
    const store = openPosixTileStore(directory);
    const note = await store.readCheckpoint();
    const signed = note === undefined ? undefined : openCheckpoint(note, logKey);
    if (note === undefined || signed === undefined || isDenial(signed)) {
      throw new LogUnavailable(
        `${directory} has no checkpoint signed by its log, so there is nothing to rebuild under`,
      );
    }
    const { trustedSize } = await verifyLog(directory, logKey);
    if (trustedSize !== signed.size) {
      throw new LogUnavailable(
        `the database holds ${trustedSize} of the ${signed.size} entries that were signed for; restore it before its tiles`,
      );
    }
    const tiles = join(directory, 'tile');
    if (existsSync(tiles)) renameSync(tiles, `${tiles}.damaged-${Date.now()}`);
    reader = new SqliteLogReader(directory);
    await publishTiles({
      source: reader,
      store: openPosixTileStore(directory),
      checkpoint: note,
      rebuild: true,
    });
  } finally {
    reader?.close();
    lock.release();
  }
}
