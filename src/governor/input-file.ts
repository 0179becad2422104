import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { type JsonValue, parseJson } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';

const CHUNK_BYTES = 64 * 1024;
/** Descriptors this process was given: a shell's `<(…)`, or stdin. What they are connected to was the caller's choice. */
const INHERITED = /^(?:\/dev\/stdin|\/dev\/fd\/\d+|\/proc\/self\/fd\/\d+)$/;

/**
 * Reads a file that may be anything: never more than `maxBytes`, and never from a device, or a named pipe nobody may ever
 * write to. Denies with `request.malformed` or `request.too_large`; the detail names the file.
 */
export function readInputFile(cwd: string, name: string, maxBytes: number): Uint8Array | Denial {
  const path = resolve(cwd, name);
  try {
    const inherited = INHERITED.test(path);
    // Opening a named pipe would wait for its writer.
    const descriptor = openSync(path, constants.O_RDONLY | (inherited ? 0 : constants.O_NONBLOCK));
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile() && !(inherited && status.isFIFO()))
        return deny('request.malformed', `${name} is not a regular file`);
      const chunks: Buffer[] = [];
      for (let total = 0; ; ) {
        const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
        const count = readSync(descriptor, chunk);
        if (count === 0) return Buffer.concat(chunks);
        total += count;
        if (total > maxBytes) return deny('request.too_large', `${name} is longer than ${maxBytes} bytes`);
        chunks.push(chunk.subarray(0, count));
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return deny('request.malformed', `${name} cannot be read: ${code}`);
  }
}

/** A strictly parsed JSON file. The detail of a denial names the file. */
export function readJsonFile(
  cwd: string,
  name: string,
  limits: { readonly maxBytes: number; readonly maxDepth?: number },
): JsonValue | Denial {
  const bytes = readInputFile(cwd, name, limits.maxBytes);
  if (isDenial(bytes)) return bytes;
  const json = parseJson(bytes, 'request.malformed', limits);
  return isDenial(json) ? deny(json.code, `${name}: ${json.detail}`) : json;
}
