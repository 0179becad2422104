import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';

/** The Cedar type of an argument, as far as a JSON Schema has one. */
export type InputType =
  | { readonly kind: 'string' | 'long' | 'boolean' | 'decimal' }
  | { readonly kind: 'set'; readonly element: InputType }
  | RecordInputType;

export interface RecordInputType {
  readonly kind: 'record';
  readonly members: ReadonlyMap<string, InputMember>;
}

export interface InputMember {
  readonly type: InputType;
  /** Present in every request that reaches Cedar. */
  readonly required: boolean;
  /** `null` is allowed and means that policies see no value. */
  readonly nullable: boolean;
}

/** Bounds on what one hostile schema can make us build. Beyond them arguments stay untyped, hence unrepresented. */
const MAX_TYPE_DEPTH = 6;
const MAX_TYPE_NODES = 512;
const MAX_NAME_CHARACTERS = 256;

const EMPTY_RECORD: RecordInputType = { kind: 'record', members: new Map() };

interface Walk {
  readonly root: JsonObject;
  nodes: number;
  /** Names of definitions being expanded, to stop recursion. */
  readonly expanding: Set<string>;
}

/**
 * The Cedar record type of a tool's arguments. Arguments whose schema has no one Cedar type are left out, and show up in
 * `context.unrepresented` when a call has them. Names are taken in code-unit order, so that the same definition gives
 * the same type whatever order its members came in.
 */
export function inputTypeOf(inputSchema: JsonValue | undefined): RecordInputType {
  if (!isJsonObject(inputSchema) || own(inputSchema, 'type') !== 'object') return EMPTY_RECORD;
  const walk: Walk = { root: inputSchema, nodes: 0, expanding: new Set() };
  const record = recordOf(inputSchema, walk, 0) ?? EMPTY_RECORD;
  const members = new Map<string, InputMember>();
  for (const [name, member] of record.members) {
    // INVARIANT: an argument that may be left out of a request (see toCedarInput) is optional in the schema.
    members.set(name, { ...member, required: member.required && !containsDecimal(member.type) });
  }
  return { kind: 'record', members };
}

/** The Cedar schema text of a type. */
export function inputTypeText(type: InputType): string {
  switch (type.kind) {
    case 'string':
      return 'String';
    case 'long':
      return 'Long';
    case 'boolean':
      return 'Bool';
    case 'decimal':
      return 'decimal';
    case 'set':
      return `Set<${inputTypeText(type.element)}>`;
    case 'record': {
      const members = [...type.members].map(
        ([name, member]) =>
          `${quoteCedarString(name)}${member.required ? '' : '?'}: ${inputTypeText(member.type)}`,
      );
      return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
    }
  }
}

/** A Cedar string literal. Everything but printable ASCII is escaped, so text from a tool can't end the literal. */
export function quoteCedarString(text: string): string {
  let quoted = '"';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const plain = code >= 0x20 && code < 0x7f && character !== '"' && character !== '\\';
    quoted += plain ? character : `\\u{${code.toString(16)}}`;
  }
  return `${quoted}"`;
}

function typeOf(schema: JsonValue | undefined, walk: Walk, depth: number): InputType | undefined {
  walk.nodes += 1;
  if (!isJsonObject(schema) || depth > MAX_TYPE_DEPTH || walk.nodes > MAX_TYPE_NODES) return undefined;
  if (own(schema, '$ref') !== undefined) return referenced(schema, walk, depth);
  for (const combinator of ['anyOf', 'oneOf', 'allOf', 'not', 'if', 'patternProperties', 'prefixItems']) {
    if (own(schema, combinator) !== undefined) return undefined;
  }
  switch (own(schema, 'type')) {
    case 'string':
      return { kind: 'string' };
    case 'integer':
      return { kind: 'long' };
    case 'boolean':
      return { kind: 'boolean' };
    case 'number':
      return { kind: 'decimal' };
    case 'array': {
      const element = typeOf(own(schema, 'items'), walk, depth + 1);
      return element === undefined ? undefined : { kind: 'set', element };
    }
    case 'object':
      return recordOf(schema, walk, depth);
    case undefined:
      return literalType(schema);
    default:
      return undefined;
  }
}

function recordOf(schema: JsonObject, walk: Walk, depth: number): RecordInputType | undefined {
  const properties = own(schema, 'properties');
  if (!isJsonObject(properties)) return undefined;
  const requiredList = own(schema, 'required');
  const required = new Set(Array.isArray(requiredList) ? requiredList : []);
  const members = new Map<string, InputMember>();
  for (const name of Object.keys(properties).sort()) {
    if (!isRepresentableName(name)) continue;
    const { schema: memberSchema, nullable } = withoutNull(own(properties, name));
    const type = typeOf(memberSchema, walk, depth + 1);
    if (type !== undefined) members.set(name, { type, required: required.has(name) && !nullable, nullable });
  }
  return { kind: 'record', members };
}

/** Names with two leading underscores are Cedar's JSON escapes (`__entity`, `__extn`, `__expr`) or could become one. */
function isRepresentableName(name: string): boolean {
  return name.length <= MAX_NAME_CHARACTERS && !name.startsWith('__') && name.isWellFormed();
}

/** Takes `null` out of a union with one other type: `type: [T, "null"]`, or two branches of which one is null. */
function withoutNull(schema: JsonValue | undefined): { schema: JsonValue | undefined; nullable: boolean } {
  if (!isJsonObject(schema)) return { schema, nullable: false };
  const type = own(schema, 'type');
  if (Array.isArray(type) && type.length === 2 && type.includes('null')) {
    const other: JsonValue = type[0] === 'null' ? (type[1] ?? null) : (type[0] ?? null);
    return { schema: { ...schema, type: other }, nullable: true };
  }
  for (const combinator of ['anyOf', 'oneOf'] as const) {
    const branches = own(schema, combinator);
    if (!Array.isArray(branches) || branches.length !== 2) continue;
    if (own(schema, 'type') !== undefined || own(schema, 'properties') !== undefined) continue;
    const other = branches.filter((branch: JsonValue) => !isNullSchema(branch));
    if (other.length === 1) return { schema: other[0], nullable: true };
  }
  return { schema, nullable: false };
}

function isNullSchema(schema: JsonValue): boolean {
  return isJsonObject(schema) && own(schema, 'type') === 'null';
}

const LOCAL_REFERENCE = /^#\/(\$defs|definitions)\/([A-Za-z0-9_.-]{1,128})$/;
const ANNOTATION_KEYWORDS = new Set(['$ref', 'title', 'description', 'default', 'examples', 'deprecated']);

/** Follows a reference into the schema's own definitions; other references, and recursion, have no type. */
function referenced(schema: JsonObject, walk: Walk, depth: number): InputType | undefined {
  const reference = own(schema, '$ref');
  if (typeof reference !== 'string') return undefined;
  if (!Object.keys(schema).every((keyword) => ANNOTATION_KEYWORDS.has(keyword))) return undefined;
  const [, section, name] = LOCAL_REFERENCE.exec(reference) ?? [];
  if (section === undefined || name === undefined || walk.expanding.has(reference)) return undefined;
  const definitions = own(walk.root, section);
  if (!isJsonObject(definitions)) return undefined;
  walk.expanding.add(reference);
  const type = typeOf(own(definitions, name), walk, depth + 1);
  walk.expanding.delete(reference);
  return type;
}

/** Schemas without `type` whose values are listed: all strings, or all integers. */
function literalType(schema: JsonObject): InputType | undefined {
  const listed = own(schema, 'enum');
  const constant = own(schema, 'const');
  const values = Array.isArray(listed) ? listed : constant === undefined ? [] : [constant];
  if (values.length === 0) return undefined;
  if (values.every((value) => typeof value === 'string')) return { kind: 'string' };
  if (values.every((value) => Number.isSafeInteger(value))) return { kind: 'long' };
  return undefined;
}

function containsDecimal(type: InputType): boolean {
  switch (type.kind) {
    case 'decimal':
      return true;
    case 'set':
      return containsDecimal(type.element);
    case 'record':
      return [...type.members.values()].some((member) => containsDecimal(member.type));
    default:
      return false;
  }
}

function own(object: JsonObject, member: string): JsonValue | undefined {
  return Object.hasOwn(object, member) ? object[member] : undefined;
}
