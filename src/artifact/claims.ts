import { isJsonObject, type JsonObject, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { parsePublicJwk, type VerificationKey } from '../key/index.ts';
import { type ConstraintMap, parseConstraintMap } from './constraints/index.ts';
import type { ArtifactLimits } from './limits.ts';
import { parseWritClaim, type WritClaim } from './writ-claim.ts';

/** The claims of one token (AAT-02 §3.2), parsed. */
export interface TokenClaims {
  readonly jti: string;
  readonly iss: string;
  readonly iatSeconds: number;
  readonly expSeconds: number;
  readonly nbfSeconds?: number;
  /** `aud`: where this token and all derived from it may be presented. */
  readonly audiences?: readonly string[];
  readonly depth: number;
  readonly maxDepth: number;
  /** `par_hash` of a derived token. */
  readonly parentHash?: string;
  /** The key in `cnf.jwk`. */
  readonly holder: VerificationKey;
  /** By tool identifier; empty for a token without a capability entry. */
  readonly tools: ReadonlyMap<string, ConstraintMap>;
  /** The `tools` object as written; undefined for a token without a capability entry. */
  readonly toolsJson: JsonObject | undefined;
  readonly writ: WritClaim;
}

export const CAPABILITY_TYPE = 'attenuating_agent_token';

/** Claims that must be written as plain integers (AAT-02 §3.2). */
const INTEGER_CLAIMS: ReadonlySet<string> = new Set(['iat', 'exp', 'nbf', 'del_depth', 'del_max_depth']);

const MAX_JTI_CHARACTERS = 256;
const MAX_AUDIENCES = 64;
const MAX_AUDIENCE_CHARACTERS = 2048;
const NO_PROFILE: WritClaim = Object.freeze({});

/** Parses the payload of a token strictly, deep enough for the deepest constraint that is allowed. */
export function parseClaimsJson(payload: Uint8Array, limits: ArtifactLimits): JsonObject | Denial {
  return parseJsonObject(payload, 'artifact.malformed', {
    maxBytes: limits.maxTokenBytes,
    maxDepth: 40 + 2 * limits.maxConstraintDepth,
    integerMembers: INTEGER_CLAIMS,
  });
}

// The readers below each serve one step of AAT-02 §8 and name it in the detail of their denial.

export function malformed(step: string, problem: string): Denial {
  return deny('artifact.malformed', `step ${step}: ${problem}`);
}

/** A NumericDate; that it was written as an integer is seen when the JSON text is parsed. */
export function readTime(claims: JsonObject, name: 'iat' | 'exp' | 'nbf', step: string): number | Denial {
  const value = claims[name];
  return typeof value === 'number' && Number.isInteger(value)
    ? value
    : malformed(step, `${name} is not a NumericDate`);
}

export function readDepth(
  claims: JsonObject,
  name: 'del_depth' | 'del_max_depth',
  step: string,
): number | Denial {
  const value = claims[name];
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
    ? value
    : malformed(step, `${name} is not a non-negative integer`);
}

export function readJti(claims: JsonObject, step: string): string | Denial {
  const { jti } = claims;
  return typeof jti === 'string' && isJti(jti)
    ? jti
    : malformed(step, `jti is not a string of 1 to ${MAX_JTI_CHARACTERS} characters`);
}

export function isJti(text: string): boolean {
  return text.length > 0 && text.length <= MAX_JTI_CHARACTERS;
}

export function readHolder(claims: JsonObject, step: string): VerificationKey | Denial {
  if (!isJsonObject(claims.cnf)) return malformed(step, 'cnf is not an object');
  const key = parsePublicJwk(claims.cnf.jwk, 'artifact.malformed');
  return isDenial(key) ? malformed(step, `cnf: ${key.detail}`) : key;
}

/**
 * The `tools` object of the one capability entry, or undefined where there is none. Entries of other types are
 * ignored (AAT-02 §3.3).
 */
export function readCapability(claims: JsonObject, step: string): JsonObject | undefined | Denial {
  const details = claims.authorization_details;
  if (!Array.isArray(details)) return malformed(step, 'authorization_details is not an array');
  let tools: JsonObject | undefined;
  for (const entry of details) {
    if (!isJsonObject(entry)) return malformed(step, 'an entry of authorization_details is not an object');
    if (entry.type !== CAPABILITY_TYPE) continue;
    if (tools !== undefined) return malformed(step, `more than one ${CAPABILITY_TYPE} entry`);
    if (!isJsonObject(entry.tools)) return malformed(step, 'tools is not an object');
    if (!Object.values(entry.tools).every(isJsonObject)) {
      return malformed(step, 'a constraint map is not an object');
    }
    tools = entry.tools;
  }
  return tools;
}

export function readTools(
  tools: JsonObject | undefined,
  limits: ArtifactLimits,
  step: string,
): ReadonlyMap<string, ConstraintMap> | Denial {
  const maps = new Map<string, ConstraintMap>();
  for (const [tool, json] of Object.entries(tools ?? {})) {
    if (!isJsonObject(json)) return malformed(step, 'a constraint map is not an object');
    const map = parseConstraintMap(json, { maxConstraintDepth: limits.maxConstraintDepth });
    if (isDenial(map)) return malformed(step, `tool ${quoteTool(tool)}: ${map.detail}`);
    maps.set(tool, map);
  }
  return maps;
}

export function quoteTool(tool: string): string {
  return JSON.stringify(tool.length <= 200 ? tool : `${tool.slice(0, 200)}…`);
}

/** The claims of Writ's profile that AAT-02 leaves optional or open: `aud`, `nbf`, `writ`. */
export function readProfile(
  claims: JsonObject,
): Pick<TokenClaims, 'audiences' | 'nbfSeconds' | 'writ'> | Denial {
  const audiences = claims.aud === undefined ? undefined : readAudiences(claims.aud);
  if (isDenial(audiences)) return audiences;
  const nbfSeconds = claims.nbf === undefined ? undefined : readTime(claims, 'nbf', 'nbf');
  if (isDenial(nbfSeconds)) return nbfSeconds;
  const writ = claims.writ === undefined ? NO_PROFILE : parseWritClaim(claims.writ);
  if (isDenial(writ)) return writ;
  // Counters are kept per audience: with two audiences, each would grant the whole count.
  if ((writ.use?.maxUses !== undefined || writ.use?.budgets !== undefined) && audiences?.length !== 1) {
    return malformed('writ', 'writ.use counts, so aud must name exactly one audience');
  }
  return {
    writ,
    ...(audiences === undefined ? {} : { audiences }),
    ...(nbfSeconds === undefined ? {} : { nbfSeconds }),
  };
}

function readAudiences(aud: JsonObject[string]): readonly string[] | Denial {
  const audiences: string[] = [];
  for (const audience of Array.isArray(aud) ? aud : [aud]) {
    if (typeof audience !== 'string' || audience.length > MAX_AUDIENCE_CHARACTERS) {
      return malformed('aud', 'aud is neither a string nor an array of strings');
    }
    audiences.push(audience);
  }
  if (audiences.length > MAX_AUDIENCES) return malformed('aud', `aud names more than ${MAX_AUDIENCES}`);
  return Object.freeze(audiences);
}
