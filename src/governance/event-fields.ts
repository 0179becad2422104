import { z } from 'zod';
import { isUri } from '../artifact/index.ts';
import { type Digest, isDigest } from '../codec/index.ts';

const MAX_TEXT_CHARACTERS = 256;
const MAX_REASON_CHARACTERS = 1024;
const MAX_TOKEN_ID_CHARACTERS = 4096;

/** 32 bytes in canonical base64url: the last character carries four bits. */
const BYTES_32 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
/** The trust domain name of a SPIFFE ID (SPIFFE-ID §2.1). */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
/** A C2SP signed-note verifier key: name, key id, key type and key. */
const VKEY = /^[^\s+\p{C}]{1,512}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{2,128}={0,2}$/u;
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;

/** Unix seconds. */
export const seconds = z.int().min(0);
export const uri = z.string().refine(isUri);
export const thumbprint = z.string().regex(BYTES_32);
export const tokenHash = thumbprint;
export const digest = z.custom<Digest>(isDigest);
export const trustDomain = z.string().regex(TRUST_DOMAIN);
/** One line a person can read: no control, format or other invisible character. */
export const text = z.string().max(MAX_TEXT_CHARACTERS).regex(PRINTABLE);
export const reason = z.string().max(MAX_REASON_CHARACTERS).regex(PRINTABLE);
/** Whatever a token may be called: the holder of a parent token chose it, and it must be possible to name it here. */
export const tokenId = z.string().min(1).max(MAX_TOKEN_ID_CHARACTERS);
/** UUIDv7, lower case (RFC 9562). */
export const executionId = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
export const logOrigin = z
  .string()
  .max(512)
  .regex(/^[^\s\p{C}]+$/u);
export const vkey = z.string().regex(VKEY);
/** Exactly the members of the thumbprint (RFC 7638), so that one key has one spelling; the point is checked after. */
export const jwk = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(BYTES_32),
});
