import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, type JsonValue } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type Account, DEFAULT_LIMITS, type Effects, type Limits } from '../enforce/exec/index.ts';
import { type Home, isLocalName, writeFileDurably } from '../governor/index.ts';
import { failure } from './cli-error.ts';
import { readJsonFile } from './input-file.ts';

/** A program as it was adopted: what runs under a name, and what it asks for where a call says nothing else. */
export interface StoredProgram {
  /** Without symbolic links. */
  readonly path: string;
  readonly digest: string;
  /** What it runs as where Writ is root; absent: the default account. */
  readonly account?: Account;
  readonly effects: Effects;
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly network: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: Limits;
}

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
  const parsed = isDenial(json) ? undefined : parseProgram(json);
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

const MEMBERS = ['path', 'digest', 'account', 'effects', 'read', 'write', 'network', 'env', 'limits'];
const EFFECTS: readonly Effects[] = ['read', 'write', 'destructive'];

function parseProgram(json: JsonValue): StoredProgram | undefined {
  if (!isJsonObject(json) || !Object.keys(json).every((name) => MEMBERS.includes(name))) return undefined;
  const { path, digest, env } = json;
  const effects = EFFECTS.find((known) => known === json.effects);
  const read = stringsOf(json.read);
  const write = stringsOf(json.write);
  const network = stringsOf(json.network);
  const limits = numbersOf(json.limits, DEFAULT_LIMITS);
  const account = json.account === undefined ? undefined : numbersOf(json.account, { uid: 0, gid: 0 });
  if (typeof path !== 'string' || typeof digest !== 'string' || !isJsonObject(env)) return undefined;
  if (!read || !write || !network || !limits || !effects) return undefined;
  if (json.account !== undefined && account === undefined) return undefined;
  const variables = Object.entries(env).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  if (variables.length !== Object.keys(env).length) return undefined;
  return {
    path,
    digest,
    effects,
    read,
    write,
    network,
    env: Object.fromEntries(variables),
    limits,
    ...(account === undefined ? {} : { account }),
  };
}

function stringsOf(json: JsonValue | undefined): readonly string[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const strings = json.filter((value) => typeof value === 'string');
  return strings.length === json.length ? strings : undefined;
}

/** An object of just the members of `shape`, all of them whole numbers. */
function numbersOf<T extends object>(json: JsonValue | undefined, shape: T): T | undefined {
  if (!isJsonObject(json)) return undefined;
  const numbers = Object.entries(json).flatMap(([name, value]) =>
    Object.hasOwn(shape, name) && typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? [[name, value] as const]
      : [],
  );
  const isComplete =
    numbers.length === Object.keys(shape).length && numbers.length === Object.keys(json).length;
  return isComplete ? { ...shape, ...Object.fromEntries(numbers) } : undefined;
}
