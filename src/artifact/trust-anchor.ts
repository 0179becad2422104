import { isJsonObject, type JsonValue } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { parsePublicJwk, type VerificationKey } from '../key/index.ts';
import { isUri } from './uri.ts';

/** A key that may sign root tokens, bound to the issuer it speaks for (AAT-02 §2). */
export interface TrustAnchor {
  /** URI; a root token's `iss` must be identical. */
  readonly iss: string;
  readonly key: VerificationKey;
}

/** Parses `[{ "iss": URI, "jwk": {…} }]`, the form of an anchors file. Denies with `request.malformed`. */
export function parseTrustAnchors(json: JsonValue): readonly TrustAnchor[] | Denial {
  if (!Array.isArray(json)) return deny('request.malformed', 'trust anchors are not an array');
  const anchors: TrustAnchor[] = [];
  for (const [index, entry] of json.entries()) {
    if (!isJsonObject(entry) || typeof entry.iss !== 'string' || !isUri(entry.iss)) {
      return deny('request.malformed', `trust anchor ${index} has no URI as iss`);
    }
    const key = parsePublicJwk(entry.jwk, 'request.malformed');
    if (isDenial(key)) return deny(key.code, `trust anchor ${index}: ${key.detail}`);
    anchors.push({ iss: entry.iss, key });
  }
  return anchors;
}
