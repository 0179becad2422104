import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { failure } from './cli-error.ts';

/** Writes what a command made to the file that `--out` names, readable by its owner alone. Returns the path. */
export function writeOut(cwd: string, name: string, text: string): string {
  const file = resolve(cwd, name);
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure('file.unwritable', `${name} cannot be written: ${code}`, 'choose another --out');
  }
  return file;
}
