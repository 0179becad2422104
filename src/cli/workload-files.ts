import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { writeFileDurably } from '../governor/index.ts';
import { readPrivateFile } from '../key/index.ts';
import type { DevelopmentIssuer } from '../workload/index.ts';
import { failure } from './cli-error.ts';

/** Files of a development issuer's folder. */
export const ISSUER_FILE = 'issuer.json';
export const BUNDLE_FILE = 'bundle.json';

const PRIVATE = 0o600;
const PUBLIC = 0o644;

/** A file to be written; one that is not public is readable by its owner alone. */
export interface NewFile {
  readonly name: string;
  readonly text: string;
  readonly public?: boolean;
}

/**
 * Writes files into a folder, which it makes. INVARIANT: what was there before, a link or a file that others can read, never
 * receives a key: it is left alone, or another file takes its place. @returns their paths.
 */
export function writeFiles(folder: string, files: readonly NewFile[], replace: boolean): readonly string[] {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return files.map(({ name, text, public: isPublic }) => {
      const path = join(folder, name);
      const mode = isPublic === true ? PUBLIC : PRIVATE;
      if (replace) writeFileDurably(path, text, mode);
      else writeFileSync(path, text, { mode, flag: 'wx' });
      return path;
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure(
      'file.unwritable',
      `files in ${folder} cannot be written: ${code}`,
      code === 'EEXIST' ? 'what is there is not replaced: choose another folder' : 'choose another folder',
    );
  }
}

/** Opens the development issuer of a folder, whose file must be private. */
export async function readIssuer(cwd: string, folder: string): Promise<DevelopmentIssuer> {
  const { parseIssuer } = await import('../workload/index.ts');
  const path = join(resolve(cwd, folder), ISSUER_FILE);
  const text = readPrivateFile(path);
  const issuer = isDenial(text) ? text : parseIssuer(text);
  if (isDenial(issuer)) {
    throw failure('file.unreadable', issuer.detail, 'make one with "writ workload issuer"');
  }
  return issuer;
}
