import { canonicalize, isJsonObject, type JsonObject } from '../../src/codec/index.ts';
import type { Signer } from '../../src/key/index.ts';

/**
 * What a worker can do who signs whatever it likes with its own key: a child of its token with any claims at all. `deriveToken` would
 * refuse; nobody has to use it.
 */
export function forgeChild(
  token: string,
  signer: Signer,
  change: (claims: JsonObject) => JsonObject,
): string {
  const [header = '', payload = ''] = token.split('.');
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  if (!isJsonObject(claims)) throw new TypeError('not a token');
  const forged = Buffer.from(canonicalize(change(claims))).toString('base64url');
  const input = `${header}.${forged}`;
  return `${input}.${Buffer.from(signer.sign(Buffer.from(input))).toString('base64url')}`;
}
