import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject, type JsonObject } from '../../../codec/index.ts';
import type { Message, RequestMessage } from '../message.ts';

/** Revisions with a handshake and sessions. */
const LEGACY_VERSIONS: ReadonlySet<string> = new Set([
  '2024-11-05',
  '2025-03-26',
  '2025-06-18',
  '2025-11-25',
]);
/** Revisions without: every request says its own. */
export const MODERN_VERSIONS: readonly string[] = ['2026-07-28'];

const META_VERSION = 'io.modelcontextprotocol/protocolVersion';
const META_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

/** Methods of the older era that the newer one has no more. */
const REMOVED_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

/** What `Mcp-Name` repeats of the body (2026-07-28, Standard Request Headers). */
export const NAMED_BY: Readonly<Record<string, 'name' | 'uri'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

const INVALID_PARAMS = -32602;
const METHOD_NOT_FOUND = -32601;
const HEADER_MISMATCH = -32020;
const UNSUPPORTED_VERSION = -32022;
const INVALID_REQUEST = -32600;

/** Why a message is refused before anything looks at what it asks for. All text is fixed. */
export interface Disagreement {
  readonly status: 400 | 404;
  readonly code: number;
  readonly message: string;
  readonly data?: JsonObject;
}

export type EraOfMessage = 'legacy' | 'modern';

/**
 * Whether the headers say what the body says, and of which era both are.
 *
 * INVARIANT: whatever reads headers in front of the gateway (routing, rate limits, firewalls) has seen the method, the name
 * and the revision that are decided on; a message that tells two stories goes nowhere (2026-07-28, Server Validation).
 */
export function checkAgreement(headers: IncomingHttpHeaders, message: Message): EraOfMessage | Disagreement {
  const version = single(headers['mcp-protocol-version']);
  const stated = message.kind === 'response' ? undefined : statedVersion(message.params);
  const isLegacy = version === undefined || LEGACY_VERSIONS.has(version);
  if (isLegacy && stated === undefined) {
    // The older era has no such headers; where they are given they must be true all the same.
    const difference = message.kind === 'response' ? undefined : nameDifference(headers, message, false);
    return difference ?? 'legacy';
  }
  if (message.kind === 'response') return refuse(400, INVALID_REQUEST, 'Responses are not accepted here.');
  if (version === undefined) return mismatch('The MCP-Protocol-Version header is missing.');
  if (message.kind === 'notification') return 'modern';
  return checkModern(headers, message, version, stated) ?? 'modern';
}

function checkModern(
  headers: IncomingHttpHeaders,
  message: RequestMessage,
  version: string,
  stated: unknown,
): Disagreement | undefined {
  if (stated === undefined) return refuse(400, INVALID_PARAMS, 'The protocol version is missing in _meta.');
  if (stated !== version) return mismatch('The MCP-Protocol-Version header does not match the body.');
  if (!MODERN_VERSIONS.includes(version)) {
    return {
      status: 400,
      code: UNSUPPORTED_VERSION,
      message: 'The protocol version is not supported.',
      data: { supported: MODERN_VERSIONS, requested: version },
    };
  }
  const { _meta: meta } = message.params;
  if (!isJsonObject(meta) || !isJsonObject(meta[META_CAPABILITIES])) {
    return refuse(400, INVALID_PARAMS, 'The client capabilities are missing in _meta.');
  }
  const difference = nameDifference(headers, message, true);
  if (difference !== undefined) return difference;
  return REMOVED_METHODS.has(message.method)
    ? refuse(404, METHOD_NOT_FOUND, 'The method is not part of this revision.')
    : undefined;
}

function nameDifference(
  headers: IncomingHttpHeaders,
  { method, params }: { readonly method: string; readonly params: JsonObject },
  required: boolean,
): Disagreement | undefined {
  const statedMethod = single(headers['mcp-method']);
  const statedName = single(headers['mcp-name']);
  if (statedMethod === undefined ? required : statedMethod !== method) {
    return mismatch('The Mcp-Method header does not match the body.');
  }
  const member = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  const name = member === undefined ? undefined : params[member];
  if (statedName === undefined) {
    return required && name !== undefined ? mismatch('The Mcp-Name header is missing.') : undefined;
  }
  return decodeHeader(statedName) === name
    ? undefined
    : mismatch('The Mcp-Name header does not match the body.');
}

function statedVersion(params: JsonObject): unknown {
  const { _meta: meta } = params;
  return isJsonObject(meta) ? meta[META_VERSION] : undefined;
}

/** 2026-07-28, Value Encoding. Undefined where the value is not one that a client may send. */
function decodeHeader(value: string): string | undefined {
  const encoded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value)?.[1];
  if (encoded === undefined) return /^[\x20-\x7e\t]*$/.test(value) ? value : undefined;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return undefined;
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

/** A header that came several times is one that no reader agrees on: Node joins it with commas, which matches nothing. */
function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value;
}

function mismatch(message: string): Disagreement {
  return refuse(400, HEADER_MISMATCH, message);
}

function refuse(status: 400 | 404, code: number, message: string): Disagreement {
  return { status, code, message };
}
