import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import {
  BUNDLE_LIMITS,
  buildPolicyBundle,
  type PolicyBundle,
  type PolicyProblem,
  type PolicySource,
  type RedactionSource,
  type ToolDefinition,
} from '../policy/index.ts';
import { usageError } from './cli-error.ts';
import { orUsage, readInputFile, readJsonFile } from './input-file.ts';
import { REDACTION_FILES, readRedactionFile } from './redaction-file.ts';

/**
 * A policy folder: `*.cedar` files anywhere in it, the tools they speak of in `tools/<server>.json`, and in
 * `redaction.yaml` what receipts show of calls.
 */
export interface PolicyFolder {
  readonly policies: readonly PolicySource[];
  readonly tools: readonly ToolDefinition[];
  readonly redaction?: RedactionSource | PolicyProblem;
}

const TOOLS_FOLDER = 'tools';
const MAX_FILES = 10_000;
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;
const MAX_FOLDER_DEPTH = 16;

export function readPolicyFolder(cwd: string, name: string): PolicyFolder {
  const folder = resolve(cwd, name);
  const policies: PolicySource[] = [];
  const tools: ToolDefinition[] = [];
  let redaction: RedactionSource | PolicyProblem | undefined;
  for (const path of listFiles(folder)) {
    const inside = relative(folder, path).replaceAll('\\', '/');
    if (inside.endsWith('.cedar')) {
      const bytes = orUsage(readInputFile('/', path, BUNDLE_LIMITS.maxBytes));
      policies.push({ path: inside, text: decode(bytes, inside) });
    } else if (inside.startsWith(`${TOOLS_FOLDER}/`) && inside.endsWith('.json')) {
      tools.push(...readToolManifest(path));
    } else if (REDACTION_FILES.includes(inside)) {
      if (redaction !== undefined)
        throw usageError(`${name} holds ${redaction.path} and ${inside}`, 'keep one');
      const bytes = orUsage(readInputFile('/', path, BUNDLE_LIMITS.maxBytes));
      redaction = readRedactionFile(inside, decode(bytes, inside));
    } else if (isMisnamed(inside)) {
      // Rules that nobody reads would leave in the open what somebody meant to hide.
      throw usageError(
        `${name}/${inside} is not read`,
        `name it ${REDACTION_FILES[0]}, in the policy folder itself`,
      );
    }
  }
  if (policies.length === 0) {
    throw usageError(`${name} holds no *.cedar file`, 'name the policy folder, such as .writ/policy');
  }
  return { policies, tools, ...(redaction && { redaction }) };
}

/** Builds the bundle of a folder, or lists what is wrong with it. */
export function bundleOfFolder(
  cwd: string,
  folder: string,
  id: string,
): PolicyBundle | readonly PolicyProblem[] {
  const { redaction, ...rest } = readPolicyFolder(cwd, folder);
  if (redaction !== undefined && 'reason' in redaction) return [redaction];
  return buildPolicyBundle({ id, ...rest, ...(redaction && { redaction }) });
}

/** `Redaction.yaml`, `redactions.yml`, `sub/redaction.json`, … */
function isMisnamed(inside: string): boolean {
  return /(?:^|\/)redact[a-z]*\.(?:ya?ml|json)$/i.test(inside);
}

/** `{"server": NAME, "tools": [{"id": …, "definition": {…}}]}`, as `writ init` writes it. */
export function readToolManifest(path: string): ToolDefinition[] {
  const json = orUsage(readJsonFile('/', path, { maxBytes: MAX_MANIFEST_BYTES }));
  if (!isJsonObject(json) || typeof json.server !== 'string' || !Array.isArray(json.tools)) {
    throw usageError(
      `${path} is no tool manifest`,
      'write {"server": NAME, "tools": [{"id": …, "definition": {…}}]}',
    );
  }
  const { server } = json;
  return json.tools.map((entry: JsonValue) => {
    if (!isJsonObject(entry) || typeof entry.id !== 'string' || !isJsonObject(entry.definition)) {
      throw usageError(`${path}: a tool has no id or no definition`);
    }
    return { server, id: entry.id, definition: entry.definition };
  });
}

export function toolManifest(server: string, tools: readonly ToolDefinition[]): string {
  const entries: JsonObject[] = tools.map(({ id, definition }) => ({ id, definition }));
  return `${JSON.stringify({ server, tools: entries }, undefined, 1)}\n`;
}

function listFiles(folder: string, depth = 0): string[] {
  if (depth > MAX_FOLDER_DEPTH) return [];
  let entries: ReturnType<typeof readEntries>;
  try {
    entries = readEntries(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw usageError(`${folder} cannot be read: ${code}`, 'name a folder with *.cedar files');
  }
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...listFiles(path, depth + 1));
    else if (entry.isFile()) files.push(path);
    if (files.length > MAX_FILES) throw usageError(`${folder} holds more than ${MAX_FILES} files`);
  }
  return files;
}

function readEntries(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).sort((left, right) =>
    left.name < right.name ? -1 : 1,
  );
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw usageError(`${path} is not UTF-8 text`);
  }
}

/** Whether a bundle could be built; the problems are told otherwise. */
export function isBundle(built: PolicyBundle | readonly PolicyProblem[]): built is PolicyBundle {
  return !Array.isArray(built);
}
