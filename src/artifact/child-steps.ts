import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  malformed,
  quoteTool,
  readCapability,
  readDepth,
  readHolder,
  readJti,
  readProfile,
  readTime,
  readTools,
  type TokenClaims,
} from './claims.ts';
import { findMapAmplification } from './constraints/index.ts';
import type { StepContext } from './root-steps.ts';

/**
 * Steps 4b1 to 4q of AAT-02 §8 over the claims of a derived token whose signature verified under the parent's holder
 * key, then the profile's claims.
 *
 * @param parent the parent's claims and the hash of its signing input (base64url SHA-256).
 */
export function checkChildClaims(
  parent: TokenClaims & { readonly hash: string },
  claims: JsonObject,
  { nowSeconds, limits }: StepContext,
): TokenClaims | Denial {
  // 4b1
  const jti = readJti(claims, '4b1');
  if (isDenial(jti)) return jti;
  // 4b2
  const holder = readHolder(claims, '4b2');
  if (isDenial(holder)) return holder;
  // 4b3
  if (!Array.isArray(claims.authorization_details)) {
    return malformed('4b3', 'authorization_details is not an array');
  }
  // 4b4
  const depth = readDepth(claims, 'del_depth', '4b4');
  if (isDenial(depth)) return depth;
  const maxDepth = readDepth(claims, 'del_max_depth', '4b4');
  if (isDenial(maxDepth)) return maxDepth;
  // 4b5
  const { iss, par_hash: parentHash } = claims;
  if (typeof iss !== 'string') return malformed('4b5', 'iss is not a string');
  if (typeof parentHash !== 'string') return malformed('4b5', 'par_hash is not a string');
  const iatSeconds = readTime(claims, 'iat', '4b5');
  if (isDenial(iatSeconds)) return iatSeconds;
  const expSeconds = readTime(claims, 'exp', '4b5');
  if (isDenial(expSeconds)) return expSeconds;

  // 4c (I1)
  if (iss !== parent.holder.thumbprintUri)
    return invalid('4c', 'iss is not the thumbprint of the parent holder');
  // 4d (I2)
  if (depth !== parent.depth + 1) return invalid('4d', 'del_depth is not one more than the parent');
  // 4e (I2)
  if (depth > parent.maxDepth) return invalid('4e', 'del_depth exceeds del_max_depth of the parent');
  // 4f (I2)
  if (depth > limits.maxDelegationDepth)
    return invalid('4f', `del_depth exceeds ${limits.maxDelegationDepth}`);
  // 4g (I2)
  if (maxDepth > parent.maxDepth) return invalid('4g', 'del_max_depth is raised');
  // 4h (I3)
  if (expSeconds > parent.expSeconds) return invalid('4h', 'exp is after that of the parent');
  // 4i (I3)
  if (!(expSeconds > nowSeconds))
    return deny('artifact.expired', `step 4i: exp at depth ${depth} has passed`);
  // 4j (I3)
  if (iatSeconds < parent.iatSeconds) return invalid('4j', 'iat is before that of the parent');
  // 4k (I3)
  if (!(iatSeconds <= nowSeconds + limits.maxIatSkewSeconds)) {
    return deny('artifact.not_yet_valid', `step 4k: iat at depth ${depth} is in the future`);
  }
  // 4l (I3)
  if (!(expSeconds > iatSeconds)) return malformed('4l', 'exp is not after iat');
  // 4m (I2)
  if (depth > maxDepth) return invalid('4m', 'del_depth exceeds del_max_depth');
  // 4n
  const toolsJson = readCapability(claims, '4n');
  if (isDenial(toolsJson)) return toolsJson;
  // 4o
  const tools = readTools(toolsJson, limits, '4o');
  if (isDenial(tools)) return tools;
  // 4p (I4)
  for (const [tool, map] of tools) {
    const parentMap = parent.tools.get(tool);
    if (parentMap === undefined) return invalid('4p1', `tool ${quoteTool(tool)} is not in the parent`);
    const amplified = findMapAmplification(parentMap, map);
    if (amplified !== undefined) return invalid('4p', `tool ${quoteTool(tool)}: ${amplified.detail}`);
  }
  // 4q (I5)
  if (parentHash !== parent.hash) return invalid('4q', 'par_hash is not the hash of the parent');

  const profile = readProfile(claims);
  if (isDenial(profile)) return profile;
  if (profile.nbfSeconds !== undefined && profile.nbfSeconds > nowSeconds) {
    return deny('artifact.not_yet_valid', `nbf at depth ${depth} is in the future`);
  }
  return {
    jti,
    iss,
    iatSeconds,
    expSeconds,
    depth,
    maxDepth,
    parentHash,
    holder,
    tools,
    toolsJson,
    ...profile,
  };
}

function invalid(step: string, problem: string): Denial {
  return deny('artifact.attenuation_invalid', `step ${step}: ${problem}`);
}
