import type { RequestId } from '../message.ts';
import { memberText } from './json-members.ts';

/** What the front must know of a message that the gateway lets through to the client. */
export type OutgoingParts =
  | { readonly kind: 'response'; readonly id: RequestId | null }
  | { readonly kind: 'request'; readonly id: RequestId }
  | { readonly kind: 'notification'; readonly method: string };

/** Reads them without building the rest of the message, which may be large. */
export function partsOf(line: Buffer): OutgoingParts | undefined {
  const id = scalar(line, ['id']);
  const method = scalar(line, ['method']);
  if (typeof method === 'string') {
    return id === undefined || id === null ? { kind: 'notification', method } : { kind: 'request', id };
  }
  return id === undefined ? undefined : { kind: 'response', id };
}

/** The string, number or null at a place; undefined where there is none. */
export function scalar(line: Buffer, path: readonly string[]): string | number | null | undefined {
  const text = memberText(line, path);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' || typeof value === 'number' || value === null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** JSON-RPC tells `1` from `"1"`. */
export function idKey(id: RequestId): string {
  return JSON.stringify(id);
}
