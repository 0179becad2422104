import { createHash } from 'node:crypto';
import { type BigIntStats, constants, statSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Digest } from '../../codec/index.ts';

const CHUNK_BYTES = 512 * 1024;
/** Larger files are not measured: reading one would hold up the start for seconds. */
const MAX_FILE_BYTES = 2 * 1024 * 1024 * 1024;
const MAX_CACHED = 4096;

/**
 * A file touched this recently may be touched again without its times showing it (they tick in milliseconds): its digest
 * is not kept.
 */
const SETTLED_MS = 2000;

/** Digests, or their coming, by {@link fileIdentity}. */
const cache = new Map<string, Promise<Digest | undefined>>();

/**
 * SHA-256 of a regular file's bytes, read in pieces so that neither memory nor the event loop is held; remembered for as
 * long as the file is not touched. Undefined where it cannot be read to its end, or changes while it is.
 */
export async function digestFile(path: string | Buffer): Promise<Digest | undefined> {
  let file: FileHandle | undefined;
  try {
    // Hundreds of files are known at each start: looking at one takes microseconds, opening it a turn of the event loop.
    const known = cache.get(fileIdentity(statSync(path, { bigint: true })));
    if (known !== undefined && (await known) !== undefined) return await known;
    // Opening a FIFO would otherwise wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await file.stat({ bigint: true });
    if (!status.isFile() || status.size > MAX_FILE_BYTES) return undefined;
    const identity = fileIdentity(status);
    const cached = cache.get(identity);
    // Whoever began it may have failed for reasons of its own: only an answer is shared.
    const shared = cached && (await cached);
    if (shared !== undefined) return shared;
    const digest = digestUnchanged(file, identity);
    if (Date.now() - Number(status.ctimeMs) > SETTLED_MS) {
      if (cache.size >= MAX_CACHED) cache.clear();
      cache.set(identity, digest);
    }
    return await digest;
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

/** Whether this file, as it now stands, was digested before. */
export async function isDigestKnown(path: string): Promise<boolean> {
  try {
    return cache.has(fileIdentity(await stat(path, { bigint: true })));
  } catch {
    return false;
  }
}

/** Takes over a digest from an earlier process; the identity says of which state of which file. */
export function learnDigest(identity: string, digest: Digest): void {
  if (cache.size < MAX_CACHED) cache.set(identity, Promise.resolve(digest));
}

/** Every digest known, by the identity of its file. */
export async function knownDigests(): Promise<Record<string, Digest>> {
  const known: Record<string, Digest> = {};
  for (const [identity, coming] of cache) {
    const digest = await coming;
    if (digest !== undefined) known[identity] = digest;
  }
  return known;
}

/**
 * Of a file in one state: another one after a write, but in the same tick of its times. Change time is the kernel's own: whoever
 * rewrites a file, or puts another in its place, cannot set it.
 */
export function fileIdentity({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

/** Undefined where the file cannot be read to its end, or is touched meanwhile. Does not reject. */
async function digestUnchanged(file: FileHandle, identity: string): Promise<Digest | undefined> {
  try {
    const digest = await digestHandle(file);
    return fileIdentity(await file.stat({ bigint: true })) === identity ? digest : undefined;
  } catch {
    return undefined;
  }
}

/** Reads into one buffer while the other is hashed. */
async function digestHandle(file: FileHandle): Promise<Digest> {
  const hasher = createHash('sha256');
  let full = Buffer.allocUnsafe(CHUNK_BYTES);
  let spare = Buffer.allocUnsafe(CHUNK_BYTES);
  let { bytesRead } = await file.read(full, 0, CHUNK_BYTES, null);
  while (bytesRead > 0) {
    const next = file.read(spare, 0, CHUNK_BYTES, null);
    hasher.update(full.subarray(0, bytesRead));
    ({ bytesRead } = await next);
    [full, spare] = [spare, full];
  }
  return `sha256:${hasher.digest('hex')}`;
}
