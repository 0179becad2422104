import type { Context } from 'hono';
import { sha256Base64url } from '../../codec/index.ts';

/** Never changes once it is there. What is behind a token is for its caller's own cache. */
export const IMMUTABLE = 'private, max-age=31536000, immutable';
/** May change: a cache asks again, and is told if it did not. */
export const REVALIDATED = 'private, no-cache';

/** JSON with a strong validator (RFC 9110 §8.8.3): asked for again as it was known, it is not sent again. */
export function answerJson(context: Context, value: unknown, cacheControl = REVALIDATED): Response {
  return answerBytes(context, Buffer.from(`${JSON.stringify(value)}\n`), 'application/json', cacheControl);
}

export function answerBytes(
  context: Context,
  bytes: Uint8Array,
  type: string,
  cacheControl: string,
): Response {
  const etag = `"${sha256Base64url(bytes)}"`;
  const headers = { etag, 'cache-control': cacheControl, 'x-content-type-options': 'nosniff' };
  const known = context.req.header('if-none-match');
  if (known !== undefined && (known.trim() === '*' || known.split(',').some((one) => matches(one, etag)))) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(Uint8Array.from(bytes), { headers: { ...headers, 'content-type': type } });
}

/** Weak comparison (RFC 9110 §13.1.2). */
function matches(one: string, etag: string): boolean {
  return one.trim().replace(/^W\//, '') === etag;
}
