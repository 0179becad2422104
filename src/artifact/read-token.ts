import { sha256Base64url } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  malformed,
  parseClaimsJson,
  readCapability,
  readDepth,
  readHolder,
  readJti,
  readProfile,
  readTime,
  readTools,
  type TokenClaims,
} from './claims.ts';
import { splitCompact } from './jws.ts';
import { type ArtifactLimits, completeLimits } from './limits.ts';

/** A token that someone else vouches for: its claims are well-formed, nothing about it is verified. */
export interface UnverifiedToken extends TokenClaims {
  /** SHA-256 of the JWS signing input, base64url. */
  readonly hash: string;
  readonly compact: string;
}

/**
 * Reads the claims of one token without its chain: no signature, link or time is checked. For its holder, who derives
 * from it, and for showing it to people; never for a decision.
 *
 * @returns `artifact.malformed`.
 */
export function readToken(compact: string, limits?: Partial<ArtifactLimits>): UnverifiedToken | Denial {
  const complete = completeLimits(limits);
  if (compact.length > complete.maxTokenBytes) return malformed('2a', 'the token is too large');
  const jws = splitCompact(compact, 'artifact.malformed');
  if (isDenial(jws)) return jws;
  const json = parseClaimsJson(jws.payload, complete);
  if (isDenial(json)) return json;
  const iatSeconds = readTime(json, 'iat', '4b5');
  if (isDenial(iatSeconds)) return iatSeconds;
  const expSeconds = readTime(json, 'exp', '4b5');
  if (isDenial(expSeconds)) return expSeconds;
  const depth = readDepth(json, 'del_depth', '4b4');
  if (isDenial(depth)) return depth;
  const maxDepth = readDepth(json, 'del_max_depth', '4b4');
  if (isDenial(maxDepth)) return maxDepth;
  const jti = readJti(json, '4b1');
  if (isDenial(jti)) return jti;
  const { iss, par_hash: parentHash } = json;
  if (typeof iss !== 'string') return malformed('4b5', 'iss is not a string');
  if (parentHash !== undefined && typeof parentHash !== 'string') {
    return malformed('4b5', 'par_hash is not a string');
  }
  const holder = readHolder(json, '4b2');
  if (isDenial(holder)) return holder;
  const toolsJson = readCapability(json, '4n');
  if (isDenial(toolsJson)) return toolsJson;
  const tools = readTools(toolsJson, complete, '4o');
  if (isDenial(tools)) return tools;
  const profile = readProfile(json);
  if (isDenial(profile)) return profile;
  return {
    jti,
    iss,
    iatSeconds,
    expSeconds,
    depth,
    maxDepth,
    ...(parentHash === undefined ? {} : { parentHash }),
    holder,
    tools,
    toolsJson,
    ...profile,
    hash: sha256Base64url(jws.signingInput),
    compact,
  };
}
