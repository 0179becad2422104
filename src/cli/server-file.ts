import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type Home, writeFileDurably } from '../governor/index.ts';
import { readJsonFile } from './input-file.ts';
import { hasSecretWord } from './secret-words.ts';

/** How a server was started when its tools were pinned. */
export interface StoredServer {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

const MAX_BYTES = 1024 * 1024;

export function serverFile(home: Home, name: string): string {
  return join(home.folder, 'servers', `${name}.json`);
}

/**
 * Remembers how a server is started; only the owner may read it.
 *
 * @returns false where the command line holds what looks like a secret: then nothing is kept of it.
 */
export function writeServer(home: Home, name: string, { command, args, cwd }: StoredServer): boolean {
  const path = serverFile(home, name);
  if (hasSecretWord([command, ...args])) {
    rmSync(path, { force: true });
    return false;
  }
  writeFileDurably(path, `${JSON.stringify({ command, args, cwd }, undefined, 1)}\n`);
  return true;
}

/** Undefined where `writ init` never saw the server, or the file is not what it wrote. */
export function readServer(home: Home, name: string): StoredServer | undefined {
  const path = serverFile(home, name);
  if (!existsSync(path)) return undefined;
  const json = readJsonFile('/', path, { maxBytes: MAX_BYTES, maxDepth: 4 });
  if (isDenial(json) || !isJsonObject(json)) return undefined;
  const { command, args, cwd } = json;
  if (typeof command !== 'string' || typeof cwd !== 'string' || !Array.isArray(args)) return undefined;
  const words = args.filter((word) => typeof word === 'string');
  return words.length === args.length ? { command, args: words, cwd } : undefined;
}
