import { randomBytes } from 'node:crypto';
import { encodeBase64url, sha256Base64url } from '../../codec/index.ts';

const PREFIX = 'writ_';
/** 32 bytes in base64url. */
const TOKEN = /^writ_[A-Za-z0-9_-]{43}$/;

/** A new API token: 256 random bits, which is why a plain hash of it may be known to anyone. */
export function newApiToken(): { readonly token: string; readonly hash: string } {
  const token = `${PREFIX}${encodeBase64url(randomBytes(32))}`;
  return { token, hash: sha256Base64url(token) };
}

/** The hash a token is known by; undefined for what is none. */
export function hashOfApiToken(token: string): string | undefined {
  return TOKEN.test(token) ? sha256Base64url(token) : undefined;
}
