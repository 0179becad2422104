import type { Digest } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';

/** A `Content-Digest` (RFC 9530) of one SHA-256: a byte sequence of RFC 8941, whose base64 is padded. */
const SHA_256 = /^sha-256=:([A-Za-z0-9+/]{43}=):$/;

/**
 * The digest that a request claims for its content. Nobody here sees the content, so it is a claim until the upstream
 * checks it.
 *
 * @returns `request.malformed` for every other algorithm, for several digests, and for base64 with another spelling.
 */
export function digestOfContentDigest(header: string): Digest | Denial {
  const [, text = ''] = SHA_256.exec(header) ?? [];
  const bytes = Buffer.from(text, 'base64');
  if (text === '' || bytes.toString('base64') !== text) {
    return deny('request.malformed', 'Content-Digest is not one sha-256 digest');
  }
  return `sha256:${bytes.toString('hex')}`;
}

/** The header for a digest, as `digestOfContentDigest` reads it. */
export function contentDigestOf(digest: Digest): string {
  return `sha-256=:${Buffer.from(digest.slice('sha256:'.length), 'hex').toString('base64')}:`;
}
