import { constants } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDigest } from '../../codec/index.ts';
import { knownDigests, learnDigest } from './file-digest.ts';

/** First line; of every other one, an identity and a digest. Lines, because every start waits for them. */
const TYPE = 'writ/digests@v2';
const MAX_BYTES = 1024 * 1024;
const IDENTITY = /^\d+(?::\d+){4}$/;

/**
 * Takes over digests that an earlier process kept, so that programs which were not touched since are not read again. A
 * file that is missing, malformed or open to others is as good as none: then everything is read.
 *
 * The file belongs to whoever owns the trust domain: who can write there holds its keys as well.
 *
 * @returns how many the file held.
 */
export async function recallDigests(path: string): Promise<number> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { mode, uid, size } = await file.stat();
      if ((mode & 0o077) !== 0 || uid !== process.getuid?.() || size > MAX_BYTES) return 0;
      const [type, ...kept] = (await file.readFile('latin1')).split('\n');
      // The last one is ended, too: what was cut off ends otherwise.
      if (type !== TYPE || kept.pop() !== '') return 0;
      for (const line of kept) {
        const [identity = '', digest, ...more] = line.split(' ');
        if (IDENTITY.test(identity) && isDigest(digest) && more.length === 0) learnDigest(identity, digest);
      }
      return kept.length;
    } finally {
      await file.close();
    }
  } catch {
    // None kept yet.
    return 0;
  }
}

/**
 * Keeps what is known for the next process, where that is more than was recalled. Failing to is no fault: the next one
 * reads everything again.
 */
export async function keepDigests(path: string, recalled: number): Promise<void> {
  try {
    const files = await knownDigests();
    if (Object.keys(files).length === recalled) return;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.${process.pid}.tmp`;
    const file = await open(temporary, 'w', 0o600);
    try {
      const lines = Object.entries(files).map(([identity, digest]) => `${identity} ${digest}`);
      await file.writeFile([TYPE, ...lines, ''].join('\n'));
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch {
    // The folder may be read-only.
  }
}
