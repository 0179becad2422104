import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { MAX_WRITTEN_FILES, type WrittenFacts, type WrittenFile } from '../../receipt/index.ts';
import type { GrantedPath } from './granted-path.ts';

/** Bounds of one look: whoever waits for the outcome waits for it. */
const MAX_ENTRIES = 20_000;
const MAX_DEPTH = 64;
const MAX_HASHED_BYTES = 64 * 1024 * 1024;
const MAX_MS = 400;
/** The kernel's clock of files lags by up to a tick. */
const TICK_MS = 12;
const PIECE_BYTES = 1024 * 1024;

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

interface Look {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly files: WrittenFile<string>[];
  count: number;
  entries: number;
  hashed: number;
  complete: boolean;
}

/**
 * Regular files beneath the granted paths that changed since, told by when the kernel says so (ctime), which programs
 * cannot set. What others changed there meanwhile is among them; what was removed is not. INVARIANT: no symbolic link is
 * followed: every step starts from a folder that is open, the first from the one that was granted.
 *
 * To be called when everything that the program started is dead.
 *
 * @param sinceMs Unix milliseconds before the program ran.
 */
export function findWrittenFiles(paths: readonly GrantedPath[], sinceMs: number): WrittenFacts<string> {
  const look: Look = {
    sinceMs: sinceMs - TICK_MS,
    untilMs: performance.now() + MAX_MS,
    files: [],
    count: 0,
    entries: 0,
    hashed: 0,
    complete: true,
  };
  for (const { path, access, file } of paths) {
    if (access !== 'write') continue;
    const base = `/proc/self/fd/${file}`;
    if (fstatSync(file).isDirectory()) lookInto(`${base}/.`, path, look, 0);
    else lookAt(base, path, look, constants.O_RDONLY | constants.O_NONBLOCK);
  }
  const { files, count, complete } = look;
  return { count, complete, files };
}

function lookInto(folder: string, path: string, look: Look, depth: number): void {
  let descriptor: number;
  try {
    descriptor = openSync(folder, FOLDER);
  } catch {
    // Writ itself may not look into it, or it is gone.
    look.complete = false;
    return;
  }
  try {
    const here = `/proc/self/fd/${descriptor}`;
    for (const name of readdirSync(here).sort()) {
      look.entries += 1;
      if (look.entries > MAX_ENTRIES || depth >= MAX_DEPTH || performance.now() > look.untilMs) {
        look.complete = false;
        return;
      }
      const inner = `${path}/${name}`;
      const status = lstatSync(`${here}/${name}`, { throwIfNoEntry: false });
      if (status?.isDirectory()) lookInto(`${here}/${name}`, inner, look, depth + 1);
      else if (status?.isFile() && status.ctimeMs >= look.sinceMs)
        lookAt(`${here}/${name}`, inner, look, FILE);
    }
  } catch {
    look.complete = false;
  } finally {
    closeSync(descriptor);
  }
}

function lookAt(file: string, path: string, look: Look, flags: number): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, flags);
  } catch {
    look.complete = false;
    return;
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.ctimeMs < look.sinceMs) return;
    look.count += 1;
    if (look.files.length >= MAX_WRITTEN_FILES) return;
    const digest = digestOf(descriptor, look);
    look.files.push({ path, bytes: status.size, ...(digest === undefined ? {} : { digest }) });
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined where the bytes or the time that a look may take are used up. */
function digestOf(descriptor: number, look: Look): string | undefined {
  if (fstatSync(descriptor).size > MAX_HASHED_BYTES - look.hashed) return undefined;
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (;;) {
    const read = readSync(descriptor, piece, 0, piece.length, null);
    if (read === 0) return `sha256:${hash.digest('hex')}`;
    hash.update(piece.subarray(0, read));
    look.hashed += read;
    if (look.hashed > MAX_HASHED_BYTES || performance.now() > look.untilMs) return undefined;
  }
}
