import { canonicalize, type Digest, digestOf, isJsonObject, type JsonValue } from '../codec/index.ts';
import { visibleText } from '../lineage/index.ts';
import { type ToolDefinition, toolDefinitionDigest } from '../policy/index.ts';

/** One tool that is not what was pinned. */
export interface DefinitionChange {
  readonly tool: string;
  readonly kind: 'added' | 'changed' | 'removed';
  /** What differs, member by member; invisible characters are escaped. */
  readonly lines: readonly DiffLine[];
}

export interface DiffLine {
  readonly sign: '+' | '-';
  /** Where: `description`, `inputSchema.properties.path.type`. */
  readonly member: string;
  readonly text: string;
}

/** What a pinned digest covers (spec/policy.md), in the order people want to read it. */
const PINNED = ['title', 'description', 'annotations', 'inputSchema', 'outputSchema'];
/** Nothing of what is approved is cut: what stands after a cut would be approved unread. */
const MAX_CHARACTERS = Number.MAX_SAFE_INTEGER;
const MAX_DEPTH = 64;

/** How tools differ from what was pinned, by tool identifier. */
export function definitionChanges(
  pinned: readonly ToolDefinition[],
  current: readonly ToolDefinition[],
): readonly DefinitionChange[] {
  const before = new Map(pinned.map((tool) => [tool.id, tool.definition]));
  const now = new Map(current.map((tool) => [tool.id, tool.definition]));
  const tools = [...new Set([...before.keys(), ...now.keys()])].sort();
  return tools.flatMap((tool): DefinitionChange[] => {
    const [old, fresh] = [before.get(tool), now.get(tool)];
    if (old && fresh && toolDefinitionDigest(old) === toolDefinitionDigest(fresh)) return [];
    const lines = PINNED.flatMap((member) => difference(member, old?.[member], fresh?.[member], 0));
    const kind = old === undefined ? 'added' : fresh === undefined ? 'removed' : 'changed';
    return [{ tool, kind, lines }];
  });
}

/**
 * Names a set of definitions, so that what is approved is what was read: a server may list others to whoever comes next.
 */
export function definitionsDigest(definitions: readonly ToolDefinition[]): Digest {
  const entries = definitions.map(({ id, definition }) => [id, toolDefinitionDigest(definition)]);
  return digestOf(canonicalize(entries.sort(([left = ''], [right = '']) => (left < right ? -1 : 1))));
}

function difference(
  member: string,
  before: JsonValue | undefined,
  now: JsonValue | undefined,
  depth: number,
): DiffLine[] {
  if (depth < MAX_DEPTH && isJsonObject(before) && isJsonObject(now)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
    return names.flatMap((name) =>
      difference(`${member}.${visibleText(name, MAX_CHARACTERS)}`, before[name], now[name], depth + 1),
    );
  }
  if (before !== undefined && now !== undefined && canonicalize(before) === canonicalize(now)) return [];
  return [...said('-', member, before), ...said('+', member, now)];
}

/** Text line by line, as people wrote it; anything else as JSON. */
function said(sign: '+' | '-', member: string, value: JsonValue | undefined): DiffLine[] {
  if (value === undefined) return [];
  const texts = typeof value === 'string' ? value.split('\n') : [JSON.stringify(value)];
  return texts.map((text) => ({ sign, member, text: visibleText(text, MAX_CHARACTERS) }));
}
