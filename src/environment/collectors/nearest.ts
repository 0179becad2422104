import { open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isJsonObject, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { readBoundedBytes } from './bounded-text.ts';

const MAX_PACKAGE_JSON_BYTES = 1024 * 1024;

/** npm's record of what is installed comes before the record of what is wanted. */
const LOCKFILES = [
  'node_modules/.package-lock.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'yarn.lock',
  'bun.lock',
  'uv.lock',
  'poetry.lock',
];

export interface PackageFolder {
  readonly path: string;
  /** Undefined where the manifest has no name one could print. */
  readonly name: string | undefined;
  readonly manifest: JsonObject;
}

/** Names npm accepts; nothing else of a manifest gets into a component's name. */
const PACKAGE_NAME = /^(?:@[a-z0-9._~-]+\/)?[a-z0-9._~-]+$/i;
const MAX_NAME_CHARACTERS = 214;

/** The folder of the nearest `package.json` at or above a folder that is one of a package (it has a name). */
export async function nearestPackage(folder: string): Promise<PackageFolder | undefined> {
  for (const path of foldersUp(folder)) {
    const manifest = await readManifest(path);
    // A bare `{"type": "module"}` marks a folder, not a package.
    if (manifest?.name !== undefined) return { path, name: packageName(manifest), manifest };
    if (basename(path) === 'node_modules') return undefined;
  }
  return undefined;
}

/** The nearest lockfile that governs what a file can import. */
export async function nearestLockfile(folder: string): Promise<string | undefined> {
  for (const path of foldersUp(folder)) {
    if (basename(path) === 'node_modules') continue;
    for (const name of LOCKFILES) {
      if (await isRegularFile(join(path, name))) return join(path, name);
    }
  }
  return undefined;
}

export async function readManifest(folder: string): Promise<JsonObject | undefined> {
  const bytes = await readBoundedBytes(join(folder, 'package.json'), MAX_PACKAGE_JSON_BYTES);
  const manifest = bytes && parseJsonObject(bytes, 'environment.unmeasured');
  return manifest === undefined || isDenial(manifest) ? undefined : manifest;
}

/** The path of a package's executable: the one of that name, or its only one. */
export function binOf(manifest: JsonObject, command: string | undefined): string | undefined {
  const { bin } = manifest;
  if (typeof bin === 'string') return bin;
  if (!isJsonObject(bin)) return undefined;
  const names = Object.keys(bin);
  const name = command !== undefined && Object.hasOwn(bin, command) ? command : names[0];
  const path = name === undefined || (name !== command && names.length > 1) ? undefined : bin[name];
  return typeof path === 'string' ? path : undefined;
}

/** The first two bytes of an executable script, and what follows on its line. */
export async function readShebang(path: string): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    const [line = ''] = buffer.toString('latin1', 0, bytesRead).split('\n');
    return line.startsWith('#!') ? line.slice(2).trim() : undefined;
  } finally {
    await file.close();
  }
}

export async function isRegularFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The folder and all above it, nearest first. */
export function foldersUp(folder: string): string[] {
  const folders = [folder];
  for (let path = folder; dirname(path) !== path; path = dirname(path)) folders.push(dirname(path));
  return folders;
}

function packageName({ name }: JsonObject): string | undefined {
  if (typeof name !== 'string' || name.length > MAX_NAME_CHARACTERS) return undefined;
  return PACKAGE_NAME.test(name) ? name : undefined;
}
