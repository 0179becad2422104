/**
 * Where a log publishes its tiles, entry bundles and checkpoint: a directory, later an object store.
 * Paths are those of `formatTilePath`; a driver refuses any other.
 */
export interface TileStore {
  /** The bytes at a tile path, or undefined when there are none. */
  read(path: string): Promise<Uint8Array | undefined>;
  /**
   * Stores a tile durably before it resolves. Tiles are immutable: the same bytes again are accepted.
   * @throws LogUnavailable when other bytes are already there.
   */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Deletes the partial tiles that the full tile at `path` supersedes (allowed by tlog-tiles, "Partial Tiles"). */
  removePartials(path: string): Promise<void>;
  /** The published checkpoint, a signed note, or undefined before the first. */
  readCheckpoint(): Promise<string | undefined>;
  /**
   * Compare-and-swap: replaces the checkpoint durably if it is still `expected`, else resolves false.
   * INVARIANT: the published checkpoint never goes back to a smaller tree, nor to another root at the same size.
   * @throws LogUnavailable when `next` would break that, or either note is not a checkpoint.
   */
  replaceCheckpoint(expected: string | undefined, next: string): Promise<boolean>;
}
