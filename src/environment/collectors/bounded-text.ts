import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** As {@link readBoundedBytes}, taken for UTF-8. */
export async function readBoundedText(path: string, maxBytes: number): Promise<string | undefined> {
  return (await readBoundedBytes(path, maxBytes))?.toString('utf8');
}

/**
 * The bytes of a regular file of at most so many bytes. Undefined where there is none, or something else: a device that
 * never ends, a pipe that nobody writes to. Files of `/proc` say that they are empty, so what counts is what is read.
 */
export async function readBoundedBytes(path: string, maxBytes: number): Promise<Buffer | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) return undefined;
    const buffer = Buffer.allocUnsafe(maxBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.byteLength - length, null);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
      if (length > maxBytes) return undefined;
    }
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}
