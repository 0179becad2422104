import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { z } from 'zod';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import type { ConfigProblem } from './config-problem.ts';
import { type Config, configSchema } from './config-schema.ts';
import { configKeys } from './describe-keys.ts';
import { nearestName } from './nearest-name.ts';
import { overrideFromEnvironment } from './overrides.ts';
import { type PlainYaml, readPlainYaml } from './plain-yaml.ts';
import type { Environment } from './secret.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** Path of the file, where there is one. */
  readonly file: string | undefined;
  /** Environment variables that overrode something. */
  readonly variables: readonly string[];
}

const MAX_FILE_BYTES = 1024 * 1024;
/** A tool's constraints nest. */
const MAX_DEPTH = 48;

/**
 * The configuration: defaults, over them `writ.yaml` where it is there, over that the environment.
 *
 * @param file the file; that it is missing is no problem unless `mustExist`.
 * @returns everything that is wrong with it, or the configuration.
 */
export function readConfig(
  file: string,
  environment: Environment,
  mustExist = false,
): LoadedConfig | readonly ConfigProblem[] {
  const text = readFile(file);
  if (typeof text === 'object') return text;
  if (text === undefined && mustExist) return [{ key: '', reason: `${file} does not exist` }];
  const yaml = readPlainYaml(text ?? '', MAX_DEPTH);
  if ('reason' in yaml) return [{ key: '', ...yaml }];
  if (!isJsonObject(yaml.value)) return [{ key: '', reason: 'the file is no object', line: 1, column: 1 }];
  const overridden = overrideFromEnvironment(yaml.value, environment);
  if (!('json' in overridden)) return overridden;
  const parsed = configSchema.safeParse(withoutNulls(overridden.json));
  if (!parsed.success) return parsed.error.issues.flatMap((issue) => problemsOf(issue, yaml));
  return {
    config: parsed.data,
    file: text === undefined ? undefined : file,
    variables: overridden.variables,
  };
}

/** A section that is written without anything in it. */
function withoutNulls(json: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, value ?? {}]));
}

/** INVARIANT: whoever can write the file says who may administer: others' files, and files of others, are refused. */
function readFile(file: string): string | undefined | readonly ConfigProblem[] {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { mode, uid, size } = fstatSync(descriptor);
      const self = process.geteuid?.();
      if ((mode & 0o022) !== 0)
        return [{ key: '', reason: 'others can write it', hint: `chmod go-w ${file}` }];
      if (self !== undefined && uid !== self && uid !== 0)
        return [{ key: '', reason: 'another user owns it' }];
      if (size > MAX_FILE_BYTES) return [{ key: '', reason: `it is longer than ${MAX_FILE_BYTES} bytes` }];
      return readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return code === 'ENOENT' ? undefined : [{ key: '', reason: `it cannot be read: ${code}` }];
  }
}

function problemsOf(issue: z.core.$ZodIssue, { placeOf }: PlainYaml): readonly ConfigProblem[] {
  const at = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const hint = hintFor(at, name);
      const key = [...at, name];
      return {
        key: key.join('.'),
        reason: 'there is no such key',
        ...(hint === undefined ? {} : { hint }),
        ...placeOf(key),
      };
    });
  }
  const unset = issue.code === 'invalid_type' && issue.input === undefined;
  return [
    { key: at.join('.'), reason: unset ? 'is missing, or not of its type' : issue.message, ...placeOf(at) },
  ];
}

/** The nearest key in the same section, else one of that name somewhere else. */
function hintFor(at: readonly string[], name: string): string | undefined {
  const section = at.map((part) => (/^\d+$/.test(part) ? '[]' : part)).join('.');
  const keys = configKeys().map(({ path }) => ({ section: path.slice(0, -1).join('.'), path }));
  const siblings = keys.filter((key) => key.section === section).map(({ path }) => path.at(-1) ?? '');
  const near = nearestName(name, siblings);
  if (near !== undefined) return `did you mean ${near}?`;
  const elsewhere = nearestName(
    name,
    keys.map(({ path }) => path.at(-1) ?? ''),
  );
  const found = keys.find(({ path }) => path.at(-1) === elsewhere);
  return found === undefined ? undefined : `did you mean ${found.path.join('.')}?`;
}
