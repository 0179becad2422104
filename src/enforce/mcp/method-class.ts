import { type Digest, isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';
import { hasCollidingMembers } from './alias.ts';
import type { RequestMessage } from './message.ts';
import { protocolDefinitionDigest } from './protocol-definitions.ts';
import { type McpArea, mcpToolId } from './tool-id.ts';

/** A call as authority knows it: what the artifact must grant. */
export interface ProposedAction {
  readonly tool: string;
  readonly args: JsonObject;
  /** Of the gateway's own definition, where it is not a tool of the upstream's. */
  readonly toolDigest?: Digest;
}

/**
 * What a request is to the gateway.
 * - `upkeep`: the protocol's own business; passes.
 * - `governed`: passes only when every one of `actions` is permitted.
 * - `unsupported`: never passes, whatever is granted; `actions` names it for the receipt.
 * - `malformed`: governed, but not well-formed; `actions` names the method for the receipt.
 */
export interface MethodClass {
  readonly kind: 'upkeep' | 'governed' | 'unsupported' | 'malformed';
  readonly actions: readonly ProposedAction[];
  readonly denial?: Denial;
  /** Name of the MCP tool called, when it is one: its definition is pinned. */
  readonly toolName?: string;
}

const UPKEEP: MethodClass = { kind: 'upkeep', actions: [] };

const CLIENT_UPKEEP = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/unsubscribe',
  'prompts/list',
]);

/** Requests that may be answered with `input_required` and repeated (2026-07-28, patterns/mrtr, Supported Requests). */
export const INPUT_REQUIRING_METHODS: ReadonlySet<string> = new Set([
  'tools/call',
  'resources/read',
  'prompts/get',
]);

/**
 * All that a governed request may say, besides `_meta` and the input of {@link INPUT_REQUIRING_METHODS}: a member that no
 * proof covers and no constraint was checked on does not reach the server.
 */
const GOVERNED_PARAMS: Readonly<Record<string, readonly string[]>> = {
  'tools/call': ['name', 'arguments', 'task'],
  'resources/read': ['uri'],
  'resources/subscribe': ['uri'],
  'prompts/get': ['name', 'arguments'],
  'completion/complete': ['ref', 'argument', 'context'],
  'subscriptions/listen': ['notifications'],
};
const COMMON_PARAMS = ['_meta', 'inputResponses', 'requestState'];

/** What the server may ask of the client: by a request of its own, or (2026-07-28) inside `input_required`. */
const SERVER_AREAS = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
} as const;

const MAX_SUBSCRIPTIONS = 64;

/** Classes a client's request. Pure; every method not named here is unsupported. */
export function classifyClientRequest(server: string, request: RequestMessage): MethodClass {
  const { method, params } = request;
  if (!INPUT_REQUIRING_METHODS.has(method) && ('inputResponses' in params || 'requestState' in params)) {
    return malformed(server, method, 'input responses on a method that asks for none');
  }
  if (CLIENT_UPKEEP.has(method)) return UPKEEP;
  if (hasUnknownParams(method, params)) return malformed(server, method, 'a member of params is not known');
  switch (method) {
    case 'tools/call':
      return classifyToolCall(server, params);
    case 'resources/read':
    case 'resources/subscribe': {
      const { uri } = params;
      if (typeof uri !== 'string') return malformed(server, method, 'uri is not a string');
      return protocolAction(server, 'resources', method.slice('resources/'.length), { uri });
    }
    case 'prompts/get': {
      const { name } = params;
      if (typeof name !== 'string') return malformed(server, method, 'name is not a string');
      if (!isAbsentOrObject(params.arguments)) {
        return malformed(server, method, 'arguments is not an object');
      }
      return protocolAction(server, 'prompts', 'get', pick(params, ['name', 'arguments']));
    }
    case 'completion/complete':
      return protocolAction(server, 'completion', 'complete', pick(params, ['ref', 'argument', 'context']));
    case 'subscriptions/listen':
      return classifyListen(server, params);
    default:
      return { kind: 'unsupported', actions: [methodAction(server, method)] };
  }
}

/** Classes a server's request, or one of the requests inside `input_required`. */
export function classifyServerRequest(server: string, method: string, params: JsonObject): MethodClass {
  if (method === 'ping') return UPKEEP;
  if (!Object.hasOwn(SERVER_AREAS, method)) {
    return { kind: 'unsupported', actions: [methodAction(server, method)] };
  }
  if ('task' in params) return malformed(server, method, 'task-augmented requests are not supported');
  const area = SERVER_AREAS[method as keyof typeof SERVER_AREAS];
  const { _meta, ...args } = params;
  return protocolAction(server, area, method.slice(method.indexOf('/') + 1), args);
}

/**
 * Answers to questions that the gateway did not see asked: carried data that nothing else of the call covers, and so an
 * action of its own. Undefined where they are none that a server could read.
 */
export function answerAction(server: string, params: JsonObject): ProposedAction | undefined {
  const { inputResponses: responses = {}, requestState: state } = params;
  if (!isJsonObject(responses) || (state !== undefined && typeof state !== 'string')) return undefined;
  return protocolAction(server, 'input', 'answer', { responses, ...(state === undefined ? {} : { state }) })
    .actions[0];
}

/** What the receipt of something that has no better name is filed under. */
export function methodAction(server: string, method: string): ProposedAction {
  return { tool: mcpToolId(server, 'methods', method), args: {} };
}

function hasUnknownParams(method: string, params: JsonObject): boolean {
  if (!Object.hasOwn(GOVERNED_PARAMS, method)) return false;
  const known = GOVERNED_PARAMS[method] ?? [];
  return Object.keys(params).some((member) => !known.includes(member) && !COMMON_PARAMS.includes(member));
}

function classifyToolCall(server: string, params: JsonObject): MethodClass {
  const { name, arguments: args = {} } = params;
  const method = 'tools/call';
  if (typeof name !== 'string' || name === '') return malformed(server, method, 'name is not a tool name');
  if (!isJsonObject(args)) return malformed(server, method, 'arguments is not an object');
  if (hasCollidingMembers(args)) return malformed(server, method, 'arguments differ in letter case only');
  if ('task' in params) return malformed(server, method, 'task-augmented calls are not supported');
  return { kind: 'governed', actions: [{ tool: mcpToolId(server, 'tools', name), args }], toolName: name };
}

/** 2026-07-28: `resourceSubscriptions` replaces `resources/subscribe`, so each URI needs the same authority. */
function classifyListen(server: string, params: JsonObject): MethodClass {
  const method = 'subscriptions/listen';
  const { notifications } = params;
  if (!isJsonObject(notifications)) return malformed(server, method, 'notifications is not an object');
  const known = ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged', 'resourceSubscriptions'];
  if (Object.keys(notifications).some((member) => !known.includes(member))) {
    return malformed(server, method, 'unknown kind of subscription');
  }
  const { resourceSubscriptions: uris = [] } = notifications;
  if (!isStringArray(uris)) return malformed(server, method, 'resourceSubscriptions is not a list of URIs');
  if (uris.length > MAX_SUBSCRIPTIONS) return malformed(server, method, 'too many resource subscriptions');
  if (uris.length === 0) return UPKEEP;
  const actions = uris.flatMap((uri) => protocolAction(server, 'resources', 'subscribe', { uri }).actions);
  return { kind: 'governed', actions };
}

/** What isn't a tool: the gateway says itself what it is. */
function protocolAction(server: string, area: McpArea, name: string, args: JsonObject): MethodClass {
  const toolDigest = protocolDefinitionDigest(`${area}/${name}`);
  const tool = mcpToolId(server, area, name);
  return { kind: 'governed', actions: [{ tool, args, ...(toolDigest === undefined ? {} : { toolDigest }) }] };
}

function malformed(server: string, method: string, detail: string): MethodClass {
  const denial = deny('request.malformed', detail);
  return { kind: 'malformed', actions: [methodAction(server, method)], denial };
}

function pick(params: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.flatMap((name) => (params[name] === undefined ? [] : [[name, params[name]]])),
  );
}

function isAbsentOrObject(value: JsonValue | undefined): boolean {
  return value === undefined || isJsonObject(value);
}

function isStringArray(value: JsonValue): value is readonly string[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'string');
}
