import { canonicalize, isJsonObject, type JsonObject, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { isJti } from './claims.ts';
import { checkHeader, splitCompact, verifySignature } from './jws.ts';
import { type ArtifactLimits, completeLimits } from './limits.ts';
import type { VerifiedChain } from './verified-chain.ts';

/** A proof of possession that holds for one call (AAT-02 §7). Whether it was used before is another stage's question. */
export interface VerifiedProof {
  /** To be consumed when the call is permitted (step 7i). */
  readonly jti: string;
  readonly iatSeconds: number;
  /** `aat_aud`, which named this enforcement point. */
  readonly audience?: string;
  /** `writ.parent`: the execution that the holder says this call follows from. */
  readonly parent?: string;
}

export interface ProofContext {
  readonly tool: string;
  readonly args: JsonObject;
  /** The JCS form of `args`, where the caller has it already. */
  readonly argsJcs?: string;
  /** Unix time, whole or fractional. */
  readonly nowSeconds: number;
  /** The identifiers of this enforcement point. */
  readonly audiences: readonly string[];
  /** Whether `aat_aud` must be present (AAT-02 §9.5). */
  readonly audienceRequired: boolean;
  /** Makes a nonce required (step 7h): whether this enforcement point issued it and still accepts it. */
  readonly acceptsNonce?: (nonce: string) => boolean;
  readonly limits?: Partial<ArtifactLimits>;
}

const CODES = { malformed: 'identity.proof_invalid', algorithm: 'identity.proof_invalid' } as const;
const INTEGER_CLAIMS: ReadonlySet<string> = new Set(['iat']);
const MAX_PARENT_CHARACTERS = 256;

/** One more than the nesting that arguments may have. */
const MAX_PROOF_DEPTH = 66;

/**
 * Verifies a proof of possession against a verified chain: AAT-02 §8 steps 7a to 7h, in that order.
 *
 * @returns `identity.proof_invalid` or `identity.proof_stale`; never throws on a hostile proof.
 */
export function verifyProof(
  pop: string,
  chain: VerifiedChain,
  context: ProofContext,
): VerifiedProof | Denial {
  const { nowSeconds } = context;
  if (!Number.isFinite(nowSeconds)) throw new TypeError('nowSeconds is not a finite number');
  const limits = completeLimits(context.limits);
  const { leaf } = chain;
  if (pop.length > limits.maxProofBytes)
    return invalid('7', `the proof exceeds ${limits.maxProofBytes} bytes`);
  // 7a
  const jws = splitCompact(pop, 'identity.proof_invalid');
  if (isDenial(jws)) return invalid('7a', jws.detail);
  const header = checkHeader(jws, 'aat-pop+jwt', CODES);
  if (isDenial(header)) return invalid('7a', header.detail);
  // 7b
  if (!verifySignature(jws, leaf.holder)) return invalid('7b', 'the leaf holder did not sign');
  const claims = parseJsonObject(jws.payload, 'identity.proof_invalid', {
    maxBytes: limits.maxProofBytes,
    maxDepth: MAX_PROOF_DEPTH,
    integerMembers: INTEGER_CLAIMS,
  });
  if (isDenial(claims)) return invalid('7b', claims.detail);
  // 7c
  const { jti, iat, hta } = claims;
  if (typeof jti !== 'string' || !isJti(jti)) return invalid('7c', 'jti is not a non-empty string');
  if (typeof iat !== 'number' || !Number.isInteger(iat)) return invalid('7c', 'iat is not a NumericDate');
  if (typeof claims.aat_tool !== 'string' || claims.aat_tool === '') {
    return invalid('7c', 'aat_tool is not a non-empty string');
  }
  if (!isJsonObject(hta)) return invalid('7c', 'hta is not an object');
  if (claims.aat_id !== leaf.jti) return invalid('7c', 'aat_id is not the jti of the leaf');
  if (claims.aat_hash !== leaf.hash) return invalid('7c', 'aat_hash is not the hash of the leaf');
  // 7d
  const audience = claims.aat_aud;
  if (audience !== undefined && (typeof audience !== 'string' || !context.audiences.includes(audience))) {
    return invalid('7d', 'aat_aud does not name this enforcement point');
  }
  if (audience === undefined && context.audienceRequired) return invalid('7d', 'aat_aud is absent');
  // 7e
  if (claims.aat_tool !== context.tool) return invalid('7e', 'aat_tool is not the tool called');
  // 7f
  if (canonicalize(hta) !== (context.argsJcs ?? canonicalize(context.args))) {
    return invalid('7f', 'hta is not the arguments of the call');
  }
  // 7g
  if (!(Math.abs(nowSeconds - iat) <= limits.proofWindowSeconds)) {
    return deny('identity.proof_stale', `step 7g: iat is more than ${limits.proofWindowSeconds} s from now`);
  }
  // 7h
  if (context.acceptsNonce !== undefined) {
    if (typeof claims.nonce !== 'string' || !context.acceptsNonce(claims.nonce)) {
      return invalid('7h', 'nonce is absent or not accepted');
    }
  }
  const parent = readParent(claims);
  if (isDenial(parent)) return parent;
  return Object.freeze({
    jti,
    iatSeconds: iat,
    ...(audience === undefined ? {} : { audience }),
    ...(parent === undefined ? {} : { parent }),
  });
}

/** The profile's claim `writ` of a proof, `{ "parent"?: string }`; unknown members deny. */
function readParent(claims: JsonObject): string | undefined | Denial {
  const { writ } = claims;
  if (writ === undefined) return undefined;
  if (!isJsonObject(writ)) return invalid('writ', 'writ is not an object');
  for (const name of Object.keys(writ)) {
    if (name !== 'parent') return invalid('writ', 'writ has an unknown member');
  }
  const { parent } = writ;
  if (parent === undefined) return undefined;
  if (typeof parent !== 'string' || parent === '' || parent.length > MAX_PARENT_CHARACTERS) {
    return invalid('writ', 'writ.parent is not an execution id');
  }
  return parent;
}

function invalid(step: string, problem: string): Denial {
  return deny('identity.proof_invalid', `step ${step}: ${problem}`);
}
