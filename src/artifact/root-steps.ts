import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  malformed,
  readCapability,
  readDepth,
  readHolder,
  readJti,
  readProfile,
  readTime,
  readTools,
  type TokenClaims,
} from './claims.ts';
import type { ArtifactLimits } from './limits.ts';
import { isUri } from './uri.ts';

export interface StepContext {
  /** Unix time, whole or fractional. */
  readonly nowSeconds: number;
  readonly limits: ArtifactLimits;
}

/**
 * Steps 3b (after the signature) to 3n of AAT-02 §8 over the claims of a root token, then the profile's claims.
 *
 * @param issuers the issuers of the trust anchors whose key verified the signature; undefined when minting.
 */
export function checkRootClaims(
  claims: JsonObject,
  issuers: readonly string[] | undefined,
  { nowSeconds, limits }: StepContext,
): TokenClaims | Denial {
  const iatSeconds = readTime(claims, 'iat', '3b');
  if (isDenial(iatSeconds)) return iatSeconds;
  const expSeconds = readTime(claims, 'exp', '3b');
  if (isDenial(expSeconds)) return expSeconds;
  // 3c
  const depth = readDepth(claims, 'del_depth', '3c');
  if (isDenial(depth)) return depth;
  if (depth !== 0) return malformed('3c', 'del_depth of the root is not 0');
  // 3d
  if (claims.par_hash !== undefined) return malformed('3d', 'the root has a par_hash');
  // 3e
  if (!(expSeconds > nowSeconds)) return deny('artifact.expired', 'step 3e: exp of the root has passed');
  // 3f
  if (!(iatSeconds <= nowSeconds + limits.maxIatSkewSeconds)) {
    return deny('artifact.not_yet_valid', 'step 3f: iat of the root is in the future');
  }
  // 3g
  if (!(expSeconds > iatSeconds)) return malformed('3g', 'exp is not after iat');
  // 3h
  if (!(expSeconds <= iatSeconds + limits.maxTokenLifetimeSeconds)) {
    return malformed('3h', `lifetime exceeds ${limits.maxTokenLifetimeSeconds} s`);
  }
  // 3i
  const maxDepth = readDepth(claims, 'del_max_depth', '3i');
  if (isDenial(maxDepth)) return maxDepth;
  if (maxDepth > limits.maxDelegationDepth) {
    return malformed('3i', `del_max_depth exceeds ${limits.maxDelegationDepth}`);
  }
  // 3j
  const jti = readJti(claims, '3j');
  if (isDenial(jti)) return jti;
  // 3k
  const { iss } = claims;
  if (typeof iss !== 'string' || !isUri(iss)) return malformed('3k', 'iss is not a URI');
  if (issuers !== undefined && !issuers.includes(iss)) {
    return deny('artifact.untrusted_issuer', 'step 3k: iss is not the issuer of the verifying trust anchor');
  }
  // 3l
  const holder = readHolder(claims, '3l');
  if (isDenial(holder)) return holder;
  // 3m
  const toolsJson = readCapability(claims, '3m');
  if (isDenial(toolsJson)) return toolsJson;
  if (toolsJson === undefined) return malformed('3m', 'the root has no capability entry');
  // 3n
  const tools = readTools(toolsJson, limits, '3n');
  if (isDenial(tools)) return tools;

  const profile = readProfile(claims);
  if (isDenial(profile)) return profile;
  if (profile.nbfSeconds !== undefined && profile.nbfSeconds > nowSeconds) {
    return deny('artifact.not_yet_valid', 'nbf of the root is in the future');
  }
  return { jti, iss, iatSeconds, expSeconds, depth, maxDepth, holder, tools, toolsJson, ...profile };
}
