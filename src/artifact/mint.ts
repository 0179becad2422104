import { canonicalize, type JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { Signer, VerificationKey } from '../key/index.ts';
import { checkChildClaims } from './child-steps.ts';
import { CAPABILITY_TYPE, malformed, parseClaimsJson, type TokenClaims } from './claims.ts';
import { signCompact } from './jws.ts';
import { type ArtifactLimits, completeLimits } from './limits.ts';
import { readToken } from './read-token.ts';
import { checkRootClaims, type StepContext } from './root-steps.ts';
import { newUuidV7 } from './uuid.ts';
import type { WritClaim } from './writ-claim.ts';

/** What a root token and a derived token have in common. Times are Unix seconds, whole. */
interface Grant {
  /** Whose key may present the token and derive from it. */
  readonly holder: VerificationKey;
  readonly nbfSeconds?: number;
  readonly audiences?: readonly string[];
  readonly writ?: WritClaim;
  /** Default: a fresh UUIDv7. */
  readonly jti?: string;
  readonly limits?: Partial<ArtifactLimits>;
}

export interface RootGrant extends Grant {
  readonly issuer: { readonly iss: string; readonly signer: Signer };
  /** Constraint maps by tool identifier, as JSON (AAT-02 §3.3). */
  readonly tools: { readonly [tool: string]: JsonObject };
  readonly iatSeconds: number;
  readonly expSeconds: number;
  /** Derivations allowed below this token; default 0. */
  readonly maxDepth?: number;
}

export interface DerivedGrant extends Grant {
  /** The compact parent token, or its whole chain, root first. */
  readonly parent: string | readonly string[];
  /** The parent's holder key. */
  readonly signer: Signer;
  /** Default: what the parent grants. */
  readonly tools?: { readonly [tool: string]: JsonObject };
  /** Moved up to the parent's `iat` where it is earlier (AAT-02 §6.2 step 2). */
  readonly iatSeconds: number;
  /** Default: when the parent ends. */
  readonly expSeconds?: number;
  /** Default: what the parent allows. */
  readonly maxDepth?: number;
}

/**
 * Mints a root token (AAT-02 §6.1.3). The claims pass the same steps that an enforcement point will run, as of `iat`
 * (or `nbf`): an invalid token is never signed.
 *
 * @returns the compact token, or `artifact.*` naming the step that would refuse it.
 */
export function mintRoot(grant: RootGrant): string | Denial {
  const { issuer, iatSeconds, expSeconds, maxDepth = 0 } = grant;
  const limits = completeLimits(grant.limits);
  const claims: JsonObject = {
    ...commonClaims(grant, grant.tools, iatSeconds),
    iss: issuer.iss,
    iat: iatSeconds,
    exp: expSeconds,
    del_depth: 0,
    del_max_depth: maxDepth,
  };
  return signChecked(claims, issuer.signer, limits, (json) =>
    checkRootClaims(json, undefined, validFrom(grant, iatSeconds, limits)),
  );
}

/**
 * Derives a token offline (AAT-02 §6.2). The link passes the same steps that an enforcement point will run, so a
 * grant that exceeds the parent's is never signed.
 *
 * @returns the compact token, or `artifact.*` naming the step: `artifact.attenuation_invalid` for an amplification.
 * @throws TypeError if the signer is not the holder of the parent.
 */
export function deriveToken(grant: DerivedGrant): string | Denial {
  const limits = completeLimits(grant.limits);
  const compact = typeof grant.parent === 'string' ? grant.parent : grant.parent.at(-1);
  if (compact === undefined) return deny('artifact.missing', 'there is no parent token');
  const parent = readToken(compact, limits);
  if (isDenial(parent)) return parent;
  if (grant.signer.publicKey.thumbprint !== parent.holder.thumbprint) {
    throw new TypeError('the signer is not the holder of the parent token');
  }
  const iatSeconds = Math.max(grant.iatSeconds, parent.iatSeconds);
  const claims: JsonObject = {
    ...commonClaims(grant, grant.tools ?? parent.toolsJson ?? {}, iatSeconds),
    iss: parent.holder.thumbprintUri,
    iat: iatSeconds,
    exp: grant.expSeconds ?? parent.expSeconds,
    del_depth: parent.depth + 1,
    del_max_depth: grant.maxDepth ?? parent.maxDepth,
    par_hash: parent.hash,
  };
  return signChecked(claims, grant.signer, limits, (json) =>
    checkChildClaims(parent, json, validFrom(grant, iatSeconds, limits)),
  );
}

function commonClaims(grant: Grant, tools: JsonObject, iatSeconds: number): JsonObject {
  const { audiences } = grant;
  return {
    jti: grant.jti ?? newUuidV7(iatSeconds * 1000),
    cnf: { jwk: { ...grant.holder.jwk } },
    authorization_details: [{ type: CAPABILITY_TYPE, tools }],
    ...(audiences === undefined ? {} : { aud: audiences.length === 1 ? (audiences[0] ?? '') : audiences }),
    ...(grant.nbfSeconds === undefined ? {} : { nbf: grant.nbfSeconds }),
    ...(grant.writ === undefined ? {} : { writ: grant.writ }),
  };
}

/** The first moment at which the token is meant to be valid. */
function validFrom(grant: Grant, iatSeconds: number, limits: ArtifactLimits): StepContext {
  return { nowSeconds: Math.max(iatSeconds, grant.nbfSeconds ?? iatSeconds), limits };
}

function signChecked(
  claims: JsonObject,
  signer: Signer,
  limits: ArtifactLimits,
  check: (json: JsonObject) => TokenClaims | Denial,
): string | Denial {
  // Through text and back: what is checked is what an enforcement point will read.
  const json = parseClaimsJson(Buffer.from(canonicalize(claims)), limits);
  if (isDenial(json)) return json;
  const checked = check(json);
  if (isDenial(checked)) return checked;
  const compact = signCompact('aat+jwt', claims, signer);
  return compact.length > limits.maxTokenBytes
    ? malformed('2a', `the token exceeds ${limits.maxTokenBytes} bytes`)
    : compact;
}
