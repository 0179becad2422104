import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SigningKey } from '../../../src/key/index.ts';
import { withSqliteLog } from '../../../src/storage/index.ts';
import { formatVkey, leafHash } from '../../../src/tlog/index.ts';

export const ORIGIN = 'test.local/execution/fs';
export const EARLIER = 300;
/** Two full tiles and a partial one of hashes and of entries, and a partial one of the level above. */
export const SIZE = 700;

export const key = SigningKey.fromSeed(Buffer.alloc(32, 7));
export const vkey = formatVkey(ORIGIN, key.publicKey);

/** A log made by the writer and publisher that gateways use, as a static server would serve it. */
export class PublishedLog {
  readonly folder: string;
  /** File with the checkpoint of the first `EARLIER` entries. */
  readonly earlier: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.earlier = join(folder, 'earlier');
  }

  static async create(
    folder: string,
    options: { readonly size?: number; readonly entry?: (index: number) => string } = {},
  ): Promise<PublishedLog> {
    const { size = SIZE, entry = (index) => `entry ${index}` } = options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const log = new PublishedLog(folder);
    await withSqliteLog({ directory: folder, origin: ORIGIN, signer: key }, async (open) => {
      const append = (from: number, to: number) =>
        Promise.all(
          Array.from({ length: to - from }, (_, at) => open.append({ entry: Buffer.from(entry(from + at)) })),
        );
      const first = Math.min(EARLIER, size);
      await append(0, first);
      writeFileSync(log.earlier, await open.checkpoint());
      await append(first, size);
      await open.checkpoint();
    });
    return log;
  }

  /** A copy of what is published, to be tampered with. */
  copyTo(folder: string): PublishedLog {
    mkdirSync(folder);
    for (const name of ['checkpoint', 'earlier', 'tile']) {
      cpSync(join(this.folder, name), join(folder, name), { recursive: true });
    }
    return new PublishedLog(folder);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  change(name: string, change: (bytes: Buffer) => Uint8Array): void {
    writeFileSync(this.path(name), change(readFileSync(this.path(name))));
  }

  changeText(name: string, change: (text: string) => string): void {
    this.change(name, (bytes) => Buffer.from(change(bytes.toString('utf8'))));
  }

  /** Two files trade places. */
  swap(left: string, right: string): void {
    const bytes = readFileSync(this.path(left));
    writeFileSync(this.path(left), readFileSync(this.path(right)));
    writeFileSync(this.path(right), bytes);
  }

  /** The entries of a bundle, changed. */
  changeEntries(name: string, change: (entries: Buffer[]) => readonly Uint8Array[]): void {
    this.change(name, (bytes) => {
      const entries: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = at + 2 + bytes.readUInt16BE(at);
        entries.push(bytes.subarray(at + 2, end));
        at = end;
      }
      return Buffer.concat(
        change(entries).map((entry) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(entry.byteLength);
          return Buffer.concat([length, entry]);
        }),
      );
    });
  }

  /** An entry of the first bundle with its leaf hash to fit. */
  replaceEntry(index: number, entry: string): void {
    this.changeEntries('tile/entries/000', (entries) => entries.with(index, Buffer.from(entry)));
    this.change('tile/0/000', (bytes) => {
      bytes.set(leafHash(Buffer.from(entry)), index * 32);
      return bytes;
    });
  }
}

/** The same bytes but for one bit. */
export function flipBit(bytes: Buffer): Buffer {
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes;
}
