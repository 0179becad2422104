import { isJsonObject } from '../../../codec/index.ts';
import type { RequestMessage } from '../message.ts';
import { NAMED_BY } from './header-agreement.ts';

export type RequestHeaders = Record<string, string>;

const META_VERSION = 'io.modelcontextprotocol/protocolVersion';

/** The headers that repeat a request of the newer era (2026-07-28, Request Metadata); none for one of the older. */
export function standardHeaders({ method, params }: RequestMessage): RequestHeaders {
  const { _meta: meta } = params;
  const version = isJsonObject(meta) ? meta[META_VERSION] : undefined;
  if (typeof version !== 'string') return {};
  const member = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  const name = member === undefined ? undefined : params[member];
  return {
    'MCP-Protocol-Version': encodeHeader(version),
    'Mcp-Method': encodeHeader(method),
    ...(typeof name === 'string' ? { 'Mcp-Name': encodeHeader(name) } : {}),
  };
}

/** 2026-07-28, Value Encoding. */
function encodeHeader(value: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/.test(value);
  return isPlain && !/^=\?base64\?.*\?=$/.test(value)
    ? value
    : `=?base64?${Buffer.from(value).toString('base64')}?=`;
}
