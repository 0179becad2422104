/**
 * Where stored tree hashes come from: a database, tiles, memory. Levels are tile levels (C2SP tlog-tiles): the hash at
 * level L and index i is MTH(D[i·256^L : (i+1)·256^L]), so level 0 holds leaf hashes and a log stores about 1.004
 * hashes per entry. A tree of size s stores floor(s / 256^L) hashes at level L.
 */
export interface HashReader {
  /**
   * `count` consecutive hashes, concatenated (32·count bytes).
   * @throws whatever the driver throws when one of them is not stored; a short answer is a fault of the driver.
   */
  readHashes(level: number, start: number, count: number): Uint8Array;
}

/** One hash to store at a tile level. */
export interface StoredHash {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}
