import { digestOf, findStringMember, type JsonObject, sha256Base64url } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { ChainCache } from './chain-cache.ts';
import { checkChildClaims } from './child-steps.ts';
import { isJti, malformed, parseClaimsJson, type TokenClaims } from './claims.ts';
import { type CompactJws, checkHeader, splitCompact, verifySignature } from './jws.ts';
import { type ArtifactLimits, completeLimits } from './limits.ts';
import { checkRootClaims, type StepContext } from './root-steps.ts';
import type { TrustAnchor } from './trust-anchor.ts';
import type { VerifiedChain, VerifiedToken } from './verified-chain.ts';

export interface ChainContext {
  readonly anchors: readonly TrustAnchor[];
  /** Unix time, whole or fractional. */
  readonly nowSeconds: number;
  readonly limits?: Partial<ArtifactLimits>;
  readonly cache?: ChainCache;
}

/** Anchor keys that are tried for one root token without `kid`; a token with `kid` names its key. */
const MAX_TRIED_KEYS = 64;

const HEADER_CODES = { malformed: 'artifact.malformed', algorithm: 'artifact.signature_invalid' } as const;

/** A token taken apart, with the `jti` of step 2c, which is untrusted until the signature verified. */
interface UnverifiedToken extends CompactJws {
  readonly compact: string;
  readonly untrustedJti: string;
}

/**
 * Verifies a chain, root first: AAT-02 §8 steps 1 to 5 and 6a, in that order, and the profile's claims of each token.
 * Signatures are verified before claims are parsed. With a cache, a chain that verified before under an anchor that
 * is still trusted is only checked for time.
 *
 * @returns `artifact.*`; never throws on hostile tokens.
 */
export function verifyChain(chain: readonly string[], context: ChainContext): VerifiedChain | Denial {
  const { anchors, nowSeconds, cache } = context;
  if (!Number.isFinite(nowSeconds)) throw new TypeError('nowSeconds is not a finite number');
  const limits = completeLimits(context.limits);
  const sizeDenial = checkSizes(chain, limits);
  if (sizeDenial !== undefined) return sizeDenial;
  const digest = digestOf(chain.join('\n'));
  const cached = cache?.find(digest, { anchors, nowSeconds, limits });
  if (cached !== undefined) return cached;

  const unverified = takeApart(chain);
  if (isDenial(unverified)) return unverified;
  const stepContext = { nowSeconds, limits };
  const tokens: VerifiedToken[] = [];
  let anchor: TrustAnchor | undefined;
  for (const token of unverified) {
    const parent = tokens.at(-1);
    if (parent === undefined) {
      const root = verifyRoot(token, anchors, stepContext);
      if (isDenial(root)) return root;
      anchor = root.anchor;
      tokens.push(root.token);
    } else {
      const child = verifyChild(token, parent, stepContext);
      if (isDenial(child)) return child;
      tokens.push(child);
    }
  }
  const [root] = tokens;
  const leaf = tokens.at(-1);
  if (root === undefined || leaf === undefined || anchor === undefined) {
    return deny('artifact.missing', 'step 1: the chain is empty');
  }
  // 5
  if (tokens.length !== leaf.depth + 1) return malformed('5', 'length of the chain is not del_depth + 1');
  // 6a; more than one entry was refused in 3m and 4n
  if (leaf.toolsJson === undefined) return malformed('6a', 'the leaf has no capability entry');

  const verified = Object.freeze({ tokens: Object.freeze(tokens), root, leaf, anchor, digest });
  cache?.add(verified, limits);
  return verified;
}

/** Steps 1, 2a and 2b. */
function checkSizes(chain: readonly string[], limits: ArtifactLimits): Denial | undefined {
  if (chain.length === 0) return deny('artifact.missing', 'step 1: the chain is empty');
  let total = 0;
  for (const compact of chain) {
    // A compact JWS is ASCII, so characters are bytes; any other text is refused when it is taken apart.
    if (compact.length > limits.maxTokenBytes) {
      return malformed('2a', `a token exceeds ${limits.maxTokenBytes} bytes`);
    }
    // INVARIANT: line feeds separate tokens in the digest, so no token holds one: one digest, one chain.
    if (compact.includes('\n')) return malformed('2c', 'not a compact JWS');
    total += compact.length;
  }
  return total > limits.maxChainBytes
    ? malformed('2b', `the chain exceeds ${limits.maxChainBytes} bytes`)
    : undefined;
}

/** Step 2c. */
function takeApart(chain: readonly string[]): UnverifiedToken[] | Denial {
  const seen = new Set<string>();
  const tokens: UnverifiedToken[] = [];
  for (const compact of chain) {
    const jws = splitCompact(compact, 'artifact.malformed');
    if (isDenial(jws)) return malformed('2c', jws.detail);
    const untrustedJti = findStringMember(jws.payload.toString('utf8'), 'jti');
    if (untrustedJti === undefined) return malformed('2c', 'a token has no string-valued jti');
    if (seen.has(untrustedJti)) return malformed('2c', 'a jti appears twice in the chain');
    seen.add(untrustedJti);
    tokens.push({ ...jws, compact, untrustedJti });
  }
  return tokens;
}

/** Step 3. */
function verifyRoot(
  token: UnverifiedToken,
  anchors: readonly TrustAnchor[],
  context: StepContext,
): { readonly token: VerifiedToken; readonly anchor: TrustAnchor } | Denial {
  // 3a
  const header = checkHeader(token, 'aat+jwt', HEADER_CODES);
  if (isDenial(header)) return deny(header.code, `step 3a: ${header.detail}`);
  // 3b
  const verifying = findVerifyingAnchors(token, header.kid, anchors);
  if (verifying.length === 0) return denyUnverifiedRoot(token, anchors);
  const json = parseClaims(token, '3b', context.limits);
  if (isDenial(json)) return json;
  const issuers = verifying.map(({ iss }) => iss);
  const claims = checkRootClaims(json, issuers, context);
  if (isDenial(claims)) return claims;
  const anchor = verifying.find(({ iss }) => iss === claims.iss);
  if (anchor === undefined) return deny('artifact.untrusted_issuer', 'step 3k: no trust anchor for iss');
  return { token: seal(token, claims), anchor };
}

/** The anchors whose key verifies the signature: `kid`, a thumbprint, only selects among the configured ones. */
function findVerifyingAnchors(
  token: UnverifiedToken,
  kid: string | undefined,
  anchors: readonly TrustAnchor[],
): readonly TrustAnchor[] {
  const named = anchors.filter(({ key }) => key.thumbprint === kid);
  const tried = new Set<string>();
  for (const { key } of named.length > 0 ? named : anchors) {
    if (tried.has(key.thumbprint)) continue;
    if (tried.size >= MAX_TRIED_KEYS) break;
    tried.add(key.thumbprint);
    if (verifySignature(token, key))
      return anchors.filter((anchor) => anchor.key.thumbprint === key.thumbprint);
  }
  return [];
}

/**
 * INVARIANT: the unverified `iss` only chooses between two denials; a token that no anchor verified is never parsed.
 */
function denyUnverifiedRoot(token: UnverifiedToken, anchors: readonly TrustAnchor[]): Denial {
  const untrustedIssuer = findStringMember(token.payload.toString('utf8'), 'iss');
  return anchors.some(({ iss }) => iss === untrustedIssuer)
    ? deny('artifact.signature_invalid', 'step 3b: no key of the issuer verifies the root')
    : deny('artifact.untrusted_issuer', 'step 3b: the root names no trusted issuer');
}

/** One derived token of step 4. */
function verifyChild(
  token: UnverifiedToken,
  parent: VerifiedToken,
  context: StepContext,
): VerifiedToken | Denial {
  // 4a
  const header = checkHeader(token, 'aat+jwt', HEADER_CODES);
  if (isDenial(header)) return deny(header.code, `step 4a: ${header.detail}`);
  // 4b
  if (!verifySignature(token, parent.holder)) {
    return deny('artifact.signature_invalid', `step 4b: the holder at depth ${parent.depth} did not sign`);
  }
  const json = parseClaims(token, '4b', context.limits);
  if (isDenial(json)) return json;
  const claims = checkChildClaims(parent, json, context);
  return isDenial(claims) ? claims : seal(token, claims);
}

function parseClaims(token: UnverifiedToken, step: string, limits: ArtifactLimits): JsonObject | Denial {
  const claims = parseClaimsJson(token.payload, limits);
  if (isDenial(claims)) return malformed(step, claims.detail);
  // INVARIANT: the jti that step 2c compared is the jti of the claims.
  if (isJti(token.untrustedJti) && claims.jti !== token.untrustedJti)
    return malformed(step, 'jti is ambiguous');
  return claims;
}

function seal(token: UnverifiedToken, claims: TokenClaims): VerifiedToken {
  return Object.freeze({ ...claims, hash: sha256Base64url(token.signingInput), compact: token.compact });
}
