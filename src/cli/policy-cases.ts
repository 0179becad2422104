import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { type JsonValue, parseJson } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type PolicyCase, parsePolicyCases } from '../policy/index.ts';
import { usageError } from './cli-error.ts';
import { orUsage, readInputFile } from './input-file.ts';

const MAX_FILES = 1000;
const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 32 };

export interface CaseFile {
  readonly file: string;
  readonly cases: readonly PolicyCase[];
}

/** The case files of a folder (`*.yaml`, `*.yml`, `*.json`), by name. Ends the command where one is malformed. */
export function readCaseFiles(folder: string): readonly CaseFile[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => /^[^.].*\.(?:ya?ml|json)$/.test(name));
  } catch {
    throw usageError(
      `there are no cases in ${folder}`,
      'write them there as *.yaml, or name another folder with --cases',
    );
  }
  if (names.length === 0) throw usageError(`${folder} holds no *.yaml or *.json file`);
  if (names.length > MAX_FILES) throw usageError(`${folder} holds more than ${MAX_FILES} case files`);
  return names.sort().map((file) => {
    const bytes = orUsage(readInputFile(folder, join(folder, file), LIMITS.maxBytes));
    const json = file.endsWith('.json')
      ? parseJson(bytes, 'request.malformed', LIMITS)
      : parseYaml(bytes, file);
    if (isDenial(json)) throw usageError(`${file}: ${json.detail}`);
    const cases = parsePolicyCases(json);
    if (typeof cases === 'string') throw usageError(`${file}: ${cases}`, 'see "writ policy test --help"');
    return { file, cases };
  });
}

/**
 * YAML 1.2, its core schema, one document; no aliases (they multiply), no tags, no member twice. What it says goes through our
 * JSON parser, so that a case holds nothing JSON could not.
 */
function parseYaml(bytes: Uint8Array, file: string): ReturnType<typeof parseJson> {
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      uniqueKeys: true,
      stringKeys: true,
    });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw usageError(`${file}: ${problem.message.split('\n')[0] ?? 'malformed'}`);
    value = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'malformed';
    throw usageError(reason.startsWith(file) ? reason : `${file}: ${reason}`);
  }
  const json: JsonValue | undefined = value === undefined ? null : (value as JsonValue);
  return parseJson(JSON.stringify(json), 'request.malformed', LIMITS);
}
