import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isDenial } from '../denial/index.ts';
import { type Home, isLocalName, writeFileDurably } from '../governor/index.ts';
import { failure } from './cli-error.ts';
import { readJsonFile } from './input-file.ts';

const whole = z.int().min(0);

const storedProgram = z.strictObject({
  /** Without symbolic links. */
  path: z.string(),
  digest: z.string(),
  effects: z.enum(['read', 'write', 'destructive']),
  read: z.array(z.string()),
  write: z.array(z.string()),
  network: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  limits: z.strictObject({
    wallSeconds: whole,
    cpuSeconds: whole,
    memoryBytes: whole,
    processes: whole,
    fileBytes: whole,
    openFiles: whole,
  }),
});

/** A program as it was adopted: what runs under a name, and what it asks for where a call says nothing else. */
export type StoredProgram = z.infer<typeof storedProgram>;

const MAX_BYTES = 1024 * 1024;

function folderOf(home: Home): string {
  return join(home.folder, 'programs');
}

export function writeProgram(home: Home, name: string, program: StoredProgram): void {
  writeFileDurably(join(folderOf(home), `${name}.json`), `${JSON.stringify(program, undefined, 1)}\n`);
}

/** Undefined where none of that name was adopted. */
export function readStoredProgram(home: Home, name: string): StoredProgram | undefined {
  if (!isLocalName(name) || !listProgramNames(home).includes(name)) return undefined;
  const path = join(folderOf(home), `${name}.json`);
  const json = readJsonFile('/', path, { maxBytes: MAX_BYTES, maxDepth: 4 });
  const parsed = isDenial(json) ? undefined : storedProgram.safeParse(json).data;
  if (parsed === undefined) throw failure('program.invalid', `${path} is not what "writ exec adopt" writes`);
  return parsed;
}

/** The name that a file was adopted under. */
export function findStoredName(home: Home, path: string): string | undefined {
  return listProgramNames(home).find((name) => readStoredProgram(home, name)?.path === path);
}

export function listProgramNames(home: Home): readonly string[] {
  try {
    return readdirSync(folderOf(home))
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .sort();
  } catch {
    return [];
  }
}
