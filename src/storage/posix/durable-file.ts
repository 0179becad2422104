import { closeSync, fsyncSync, openSync, renameSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';

/** Writes a new file and fsyncs its bytes; its name is not durable until it is renamed and the folder fsynced. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Renames within `directory` and fsyncs it, in one go that nothing else on this thread interrupts. */
export function renameDurablySync(from: string, to: string): void {
  renameSync(from, to);
  const directory = openSync(dirname(to), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * Creates `path` below `root`, and fsyncs every folder from there up to the root even if it existed: whoever created it
 * may have been killed before its name was durable.
 */
export async function makeDirectory(root: string, path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  const names = relative(root, path).split(sep);
  let at = path;
  for (const _ of names) {
    at = dirname(at);
    await syncDirectory(at);
  }
}
