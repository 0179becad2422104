import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import type { ToolDefinition } from '../tool.ts';
import { suggestion } from './nearest.ts';
import { formatPointer, type Pointer, parsePointer } from './pointer.ts';
import { findUnknownMember } from './schema-members.ts';

/**
 * What a receipt shows: `digest`, nothing but the salted digest; `preview`, what fits and no detector knows for a secret;
 * or the named members alone.
 */
export type Show = 'digest' | 'preview' | readonly Pointer[];

/** How one half of a call, its arguments or its result, is shown. */
export interface Disclosure {
  readonly show: Show;
  /** Members that are never shown, and of arguments never stored either, not even sealed. */
  readonly secret: readonly Pointer[];
}

export interface ToolRedaction {
  readonly arguments: Disclosure;
  readonly results: Disclosure;
}

const HALVES = ['arguments', 'results'] as const;
type Half = (typeof HALVES)[number];

/** Nothing is shown, and nothing is known to be secret. */
const DIGEST_ONLY: ToolRedaction = {
  arguments: { show: 'digest', secret: [] },
  results: { show: 'digest', secret: [] },
};

/** What one rule states; what it leaves out is for less specific rules to say. */
interface Rule {
  readonly pattern: string;
  readonly arguments?: { readonly show?: Show; readonly secret?: readonly Pointer[] };
  readonly results?: { readonly show?: Show; readonly secret?: readonly Pointer[] };
}

/** A problem of redaction rules at a place in them: the members that lead there. */
export interface RedactionProblem {
  readonly at: Pointer;
  readonly reason: string;
}

const MAX_RULES = 2000;
const MAX_POINTERS = 64;
const SHOWN = ['digest', 'preview'];
const MEMBERS = ['show', 'secret'];

/** Redaction rules of a bundle, validated. Only `parseRedactionRules` makes them. */
export class RedactionRules {
  /** The most specific first: exact tools, then prefixes from the longest to `*`. */
  readonly #rules: readonly Rule[];
  readonly #known = new Map<string, ToolRedaction>();
  /** The normal form: what a bundle document holds. */
  readonly json: JsonObject;

  /** INVARIANT: rules are validated; `parseRedactionRules` sees to it. */
  constructor(rules: readonly Rule[]) {
    this.#rules = [...rules].sort(
      (left, right) =>
        Number(isPrefix(left.pattern)) - Number(isPrefix(right.pattern)) ||
        right.pattern.length - left.pattern.length,
    );
    this.json = Object.fromEntries(rules.map((rule) => [rule.pattern, normalForm(rule)]));
  }

  /**
   * How calls of a tool are shown. `show` is that of the most specific rule which states one. Secrets add up: no rule takes
   * back what another one calls secret.
   */
  forTool(tool: string): ToolRedaction {
    const known = this.#known.get(tool);
    if (known !== undefined) return known;
    const matching = this.#rules.filter(({ pattern }) => matches(pattern, tool));
    const disclosure = (half: Half): Disclosure => ({
      show: matching.find((rule) => rule[half]?.show !== undefined)?.[half]?.show ?? 'digest',
      secret: matching.flatMap((rule) => rule[half]?.secret ?? []),
    });
    const redaction =
      matching.length === 0
        ? DIGEST_ONLY
        : { arguments: disclosure('arguments'), results: disclosure('results') };
    // Callers choose names of tools: what is remembered of them is bounded.
    if (this.#known.size >= MAX_RULES) this.#known.clear();
    this.#known.set(tool, redaction);
    return redaction;
  }
}

/**
 * Parses redaction rules (`spec/policy.md`, "Redaction") or says all that is wrong with them. A misspelt tool, key or
 * argument would show or keep what somebody meant to hide, so each is refused.
 */
export function parseRedactionRules(
  json: JsonValue,
  tools: readonly ToolDefinition[],
): RedactionRules | RedactionProblem[] {
  if (!isJsonObject(json)) return [{ at: [], reason: 'not a mapping from tools to rules' }];
  const problems: RedactionProblem[] = [];
  const entries = Object.entries(json);
  if (entries.length > MAX_RULES) return [{ at: [], reason: `more than ${MAX_RULES} rules` }];
  const rules = entries.flatMap(([pattern, value]) => {
    const before = problems.length;
    const matched = tools.filter(({ id }) => matches(pattern, id));
    if (!/^\P{C}{1,512}$/u.test(pattern)) problems.push({ at: [pattern], reason: 'not a tool or pattern' });
    else if (matched.length === 0 && pattern !== '*') {
      const ids = tools.map(({ id }) => id);
      const known = isPrefix(pattern) ? ids.flatMap(patternsOf) : ids;
      problems.push({ at: [pattern], reason: `no tool matches ${pattern}${suggestion(pattern, known)}` });
    }
    const rule = parseRule(pattern, value, problems);
    if (rule !== undefined && matched.length > 0) findMisspeltArguments(rule, matched, problems);
    return rule === undefined || problems.length > before ? [] : [rule];
  });
  return problems.length > 0 ? problems : new RedactionRules(rules);
}

/** Exact, or everything below a prefix that ends in a slash, or `*`. */
function matches(pattern: string, tool: string): boolean {
  return isPrefix(pattern) ? tool.startsWith(pattern.slice(0, -1)) : tool === pattern;
}

function isPrefix(pattern: string): boolean {
  return pattern === '*' || pattern.endsWith('/*');
}

/** `mcp://fs/tools/read` → `mcp://fs/*`, `mcp://fs/tools/*`. */
function patternsOf(tool: string): string[] {
  const [scheme = '', rest = ''] = tool.split('://');
  const parts = rest.split('/').slice(0, -1);
  return parts.map((_, index) => `${scheme}://${parts.slice(0, index + 1).join('/')}/*`);
}

function parseRule(pattern: string, json: JsonValue, problems: RedactionProblem[]): Rule | undefined {
  const object = parseMembers([pattern], json, HALVES, problems);
  if (object === undefined) return undefined;
  const half = (name: Half): Rule['arguments'] => {
    const value = object[name];
    const members = value === undefined ? undefined : parseMembers([pattern, name], value, MEMBERS, problems);
    if (members === undefined) return undefined;
    const show =
      members.show === undefined ? undefined : parseShow([pattern, name, 'show'], members.show, problems);
    const secret =
      members.secret === undefined
        ? undefined
        : parsePointers([pattern, name, 'secret'], members.secret, problems);
    return { ...(show === undefined ? {} : { show }), ...(secret === undefined ? {} : { secret }) };
  };
  const [args, results] = [half('arguments'), half('results')];
  return { pattern, ...(args && { arguments: args }), ...(results && { results }) };
}

function parseMembers(
  at: Pointer,
  json: JsonValue,
  names: readonly string[],
  problems: RedactionProblem[],
): JsonObject | undefined {
  if (!isJsonObject(json) || Object.keys(json).length === 0) {
    problems.push({ at, reason: `not a mapping with ${names.join(' or ')}` });
    return undefined;
  }
  for (const name of Object.keys(json)) {
    if (names.includes(name)) continue;
    const reason = `unknown key ${JSON.stringify(name.slice(0, 128))}${suggestion(name, names)}`;
    problems.push({ at: [...at, name], reason });
  }
  return json;
}

function parseShow(at: Pointer, json: JsonValue, problems: RedactionProblem[]): Show | undefined {
  if (json === 'digest' || json === 'preview') return json;
  if (Array.isArray(json)) return parsePointers(at, json, problems);
  const near = typeof json === 'string' ? suggestion(json, SHOWN) : '';
  problems.push({ at, reason: `not digest, preview or a list of JSON pointers${near}` });
  return undefined;
}

/** Sorted and each once: their order says nothing. */
function parsePointers(
  at: Pointer,
  json: JsonValue,
  problems: RedactionProblem[],
): readonly Pointer[] | undefined {
  const items: readonly JsonValue[] = Array.isArray(json) ? json : [];
  if (items.length === 0 || items.length > MAX_POINTERS) {
    problems.push({ at, reason: `not a list of 1 to ${MAX_POINTERS} JSON pointers` });
    return undefined;
  }
  const pointers = new Map<string, Pointer>();
  for (const [index, item] of items.entries()) {
    const pointer = typeof item === 'string' ? parsePointer(item) : undefined;
    if (pointer !== undefined) pointers.set(formatPointer(pointer), pointer);
    else problems.push({ at: [...at, String(index)], reason: 'not a JSON pointer: write /member/member' });
  }
  return [...pointers].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, pointer]) => pointer);
}

/** Pointers into arguments that no tool of the rule declares. Results have no schema to go by. */
function findMisspeltArguments(
  { pattern, arguments: stated }: Rule,
  tools: readonly ToolDefinition[],
  problems: RedactionProblem[],
): void {
  const show = Array.isArray(stated?.show) ? stated.show : [];
  for (const [member, pointers] of [
    ['show', show],
    ['secret', stated?.secret ?? []],
  ] as const) {
    for (const pointer of pointers) {
      const unknown = tools.map(({ definition }) => findUnknownMember(definition.inputSchema, pointer));
      const first = unknown.find((found) => found !== undefined);
      if (first === undefined || unknown.includes(undefined)) continue;
      const reason = `no argument ${formatPointer(pointer)}${suggestion(first.name, first.known)}`;
      problems.push({ at: [pattern, 'arguments', member], reason });
    }
  }
}

function normalForm(rule: Rule): JsonObject {
  return Object.fromEntries(
    HALVES.flatMap((half): [string, JsonObject][] => {
      const stated = rule[half];
      if (stated === undefined) return [];
      const { show, secret } = stated;
      const shown = typeof show === 'string' ? show : show?.map(formatPointer);
      return [
        [
          half,
          {
            ...(shown === undefined ? {} : { show: shown }),
            ...(secret === undefined ? {} : { secret: secret.map(formatPointer) }),
          },
        ],
      ];
    }),
  );
}
