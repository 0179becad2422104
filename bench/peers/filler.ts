import { newUuidV7 } from '../../src/artifact/index.ts';

/** An entry that stands for a receipt, under the index key of an execution. */
export interface Filler {
  readonly entry: Uint8Array;
  readonly key: string;
}

/** Its 46 bytes are its key. Small, so that ten million fit a disk; a log does not look into what it holds. */
export function makeFiller(): Filler {
  const key = `execution:${newUuidV7()}`;
  return { entry: Buffer.from(key), key };
}

/** The key of a filler that was read. */
export function keyOf(entry: Uint8Array): string {
  return Buffer.from(entry).toString('utf8');
}
