import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { failure } from './cli-error.ts';

const CHUNK_CHARACTERS = 1 << 20;

/** Writes what a command made to the file that `--out` names, readable by its owner alone. Returns its path. */
export function writeOut(cwd: string, name: string, texts: Iterable<string>): string {
  const file = resolve(cwd, name);
  const descriptor = orSay(name, () => openSync(file, 'w', 0o600));
  try {
    let chunk = '';
    for (const text of texts) {
      chunk += text;
      if (chunk.length < CHUNK_CHARACTERS) continue;
      writeWhole(name, descriptor, chunk);
      chunk = '';
    }
    writeWhole(name, descriptor, chunk);
  } finally {
    closeSync(descriptor);
  }
  return file;
}

function writeWhole(name: string, descriptor: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  for (let written = 0; written < bytes.byteLength; ) {
    written += orSay(name, () => writeSync(descriptor, bytes, written));
  }
}

function orSay<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure('file.unwritable', `${name} cannot be written: ${code}`, 'choose another --out');
  }
}
