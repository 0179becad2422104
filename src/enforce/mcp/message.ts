import {
  isJsonObject,
  isOutOfProportion,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { findAlias } from './alias.ts';

export type RequestId = string | number;

export interface RequestMessage {
  readonly kind: 'request';
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
}

export interface NotificationMessage {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject;
}

export interface ResponseMessage {
  readonly kind: 'response';
  readonly id: RequestId;
  readonly result: JsonObject | undefined;
  readonly error: JsonObject | undefined;
}

/** A line that is not forwarded. */
export interface RefusedLine {
  readonly kind: 'refused';
  readonly denial: Denial;
  /** `parse`: not JSON as we accept it; `shape`: JSON, but not a message; `orphan`: an error that answers nothing. */
  readonly fault: 'parse' | 'shape' | 'orphan';
  readonly hints: RefusedHints;
}

/** Whom a refused line seems to concern: for telling them, never to act upon. */
export interface RefusedHints {
  /** Ids of what look like requests. */
  readonly requests: readonly RequestId[];
  /** Ids that what look like answers carry. */
  readonly answers: readonly RequestId[];
}

export type Message = RequestMessage | NotificationMessage | ResponseMessage;

export interface MessageLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
}

const MAX_ID_CHARACTERS = 256;
const MAX_METHOD_CHARACTERS = 256;
const MAX_SALVAGED_IDS = 64;
const CARRIAGE_RETURN = 0x0d;

const REQUEST_MEMBERS = new Set(['jsonrpc', 'id', 'method', 'params']);
const RESPONSE_MEMBERS = new Set(['jsonrpc', 'id', 'result', 'error']);

/** Members of params and results that decisions are made on: nothing may stand beside them that a peer reads as them. */
const PARAMS_MEMBERS = [
  '_meta',
  'name',
  'arguments',
  'uri',
  'ref',
  'argument',
  'context',
  'task',
  'cursor',
  'requestId',
  'progressToken',
  'notifications',
  'inputResponses',
  'requestState',
];
const RESULT_MEMBERS = [
  'resultType',
  'inputRequests',
  'requestState',
  'tools',
  'resources',
  'resourceTemplates',
  'prompts',
  'nextCursor',
  'ttlMs',
  'cacheScope',
];
const NO_HINTS: RefusedHints = { requests: [], answers: [] };

const ERROR_MEMBERS = ['code', 'message', 'data'];

/**
 * Parses one line of the stdio transport into the only reading of it that any peer can have, or refuses it.
 *
 * INVARIANT: what is forwarded is read alike by every parser. Besides what `parseJson` refuses, that excludes raw
 * carriage returns (universal-newline readers would see several messages), unknown top-level members and members
 * that differ from known ones in letter case only (some parsers match names case-insensitively), and batches. Readers
 * that end lines at U+2028 (Node's `readline`) may see such a string in pieces, but no message in a piece: what a piece
 * has between quotes is punctuation of ours, or lacks its quotes.
 *
 * @param line the bytes up to and including the newline.
 */
export function parseMessage(line: Uint8Array, limits: MessageLimits): Message | RefusedLine {
  if (isOutOfProportion(line, limits.maxDepth)) {
    return refuse('parse', malformed('too many values, or nested too deep'), NO_HINTS);
  }
  const carriageReturn = line.indexOf(CARRIAGE_RETURN);
  if (carriageReturn !== -1 && carriageReturn < line.byteLength - 2) {
    return refuse('parse', deny('request.malformed', 'carriage return inside a message'), salvageHints(line));
  }
  const value = parseJson(line, 'request.malformed', limits);
  if (isDenial(value)) return refuse('parse', value, salvageHints(line));
  if (!isJsonObject(value)) {
    const what = Array.isArray(value) ? 'batches are not accepted' : 'not a JSON-RPC message';
    return refuse('shape', deny('request.malformed', what), hintsOf(value));
  }
  const message = toMessage(value);
  return isDenial(message) ? refuse('shape', message, hintsOf(value)) : message;
}

function toMessage(value: JsonObject): Message | RefusedLine | Denial {
  if (value.jsonrpc !== '2.0') return malformed('jsonrpc is not "2.0"');
  const isCall = 'method' in value;
  const known = isCall ? REQUEST_MEMBERS : RESPONSE_MEMBERS;
  for (const member of Object.keys(value)) {
    if (!known.has(member)) return malformed('unknown member at the top of a message');
  }
  return isCall ? toCall(value) : toResponse(value);
}

function toCall(value: JsonObject): Message | Denial {
  const { method, params = {} } = value;
  if (typeof method !== 'string' || method === '' || method.length > MAX_METHOD_CHARACTERS) {
    return malformed('method is not a string of acceptable length');
  }
  if (!isJsonObject(params)) return malformed('params is not an object');
  if (findAlias(params, PARAMS_MEMBERS)) return malformed('a member of params is an alias of a known one');
  if (!('id' in value)) return { kind: 'notification', method, params };
  const { id } = value;
  return isRequestId(id) ? { kind: 'request', id, method, params } : malformed('id is not acceptable');
}

function toResponse(value: JsonObject): Message | RefusedLine | Denial {
  const { id = null, result, error } = value;
  if ((result === undefined) === (error === undefined)) return malformed('neither a request nor a response');
  if (error !== undefined && !isJsonObject(error)) return malformed('error is not an object');
  if (result !== undefined && !isJsonObject(result)) return malformed('result is not an object');
  if (id === null && error !== undefined) {
    return refuse('orphan', malformed('an error that answers no request'), NO_HINTS);
  }
  if (!isRequestId(id)) return malformed('id is not acceptable');
  if (findAlias(result ?? {}, RESULT_MEMBERS) || findAlias(error ?? {}, ERROR_MEMBERS)) {
    return malformed('a member of the answer is an alias of a known one');
  }
  return { kind: 'response', id, result, error };
}

/** MCP: a string or an integer, never null. */
export function isRequestId(value: JsonValue | undefined): value is RequestId {
  return typeof value === 'string' ? value.length <= MAX_ID_CHARACTERS : Number.isSafeInteger(value);
}

function malformed(detail: string): Denial {
  return deny('request.malformed', detail);
}

function refuse(fault: RefusedLine['fault'], denial: Denial, hints: RefusedHints): RefusedLine {
  return { kind: 'refused', denial, fault, hints };
}

function salvageHints(line: Uint8Array): RefusedHints {
  try {
    return hintsOf(JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8')));
  } catch {
    return NO_HINTS;
  }
}

function hintsOf(value: JsonValue): RefusedHints {
  const requests: RequestId[] = [];
  const answers: RequestId[] = [];
  for (const candidate of Array.isArray(value) ? value.slice(0, MAX_SALVAGED_IDS) : [value]) {
    if (!isJsonObject(candidate) || !Object.hasOwn(candidate, 'id') || !isRequestId(candidate.id)) continue;
    if (Object.hasOwn(candidate, 'method')) requests.push(candidate.id);
    else answers.push(candidate.id);
  }
  return { requests, answers };
}
