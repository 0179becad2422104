import type { ServerResponse } from 'node:http';
import type { JsonObject } from '../../../codec/index.ts';
import { encodeMessage } from '../answer.ts';
import type { RequestId } from '../message.ts';

const FIXED_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

export function sendJson(
  response: ServerResponse,
  status: number,
  body: Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    ...FIXED_HEADERS,
    'Content-Type': 'application/json',
    'Content-Length': body.byteLength,
    ...headers,
  });
  response.end(body);
}

export function sendEmpty(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const length = status === 204 ? {} : { 'Content-Length': 0 };
  response.writeHead(status, { ...FIXED_HEADERS, ...length, ...headers });
  response.end();
}

/** An error of the transport's own, as a JSON-RPC error response. */
export function sendError(
  response: ServerResponse,
  status: number,
  error: { readonly code: number; readonly message: string; readonly data?: JsonObject | undefined },
  options: { readonly id?: RequestId; readonly headers?: Readonly<Record<string, string>> } = {},
): void {
  const { code, message, data } = error;
  const body = encodeMessage({
    jsonrpc: '2.0',
    id: options.id ?? null,
    error: { code, message, ...(data === undefined ? {} : { data }) },
  });
  sendJson(response, status, body, options.headers);
}
