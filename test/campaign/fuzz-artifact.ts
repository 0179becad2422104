import {
  ChainCache,
  findArgumentViolation,
  findMapAmplification,
  parseConstraintMap,
  parsePresentation,
  parseTrustAnchors,
  parseWritClaim,
  verifyChain,
  verifyPresentation,
  verifyProof,
} from '../../src/artifact/index.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { must } from '../support/trust-domain.ts';
import { GATEWAY, ISSUER, KEYS, NOW, READ, TokenMaker } from '../vectors/token-maker.ts';
import type { FuzzTarget } from './fuzz-targets.ts';
import { mutateJson, mutateText, pickFrom, soup } from './mutate.ts';
import type { Random } from './random.ts';

const anchors = [{ iss: ISSUER, key: KEYS.issuer.publicKey }];
const args = { path: '/data/a' };

/** Grants of every constraint type, for bending. */
const MAPS: readonly JsonObject[] = [
  {},
  { path: { constraint_type: 'path_containment', root: '/srv/a' }, '*': { constraint_type: 'wildcard' } },
  { n: { constraint_type: 'range', min: 1, max: 5, max_inclusive: false, optional: true } },
  {
    s: { constraint_type: 'one_of', values: ['a', 'b', 1, null, [1]] },
    t: { constraint_type: 'exact', value: 'a' },
  },
  {
    s: { constraint_type: 'not_one_of', excluded: ['x', 0] },
    l: { constraint_type: 'subset', allowed: ['a', 'b'] },
  },
  {
    l: { constraint_type: 'contains', required: ['a'] },
    p: { constraint_type: 'string_pattern', pattern: 'a*b?' },
  },
  { u: { constraint_type: 'url_containment', scheme: 'https', host: 'h.example', port: 443, path: '/api' } },
  {
    s: {
      constraint_type: 'any',
      constraints: [
        { constraint_type: 'all', constraints: [{ constraint_type: 'wildcard' }] },
        { constraint_type: 'exact', value: 'b' },
      ],
    },
  },
  {
    l: {
      constraint_type: 'argv',
      flags: {
        '-v': { repeatable: true },
        '--out': { value: 'string', constraint: { constraint_type: 'wildcard' } },
      },
      positionals: [{ constraint_type: 'wildcard' }],
      rest: { constraint_type: 'string_pattern', pattern: 'a*' },
    },
  },
];
const ARGUMENTS: readonly JsonObject[] = [
  {},
  { path: '/srv/a/../b', s: 'a', t: 'a', n: 5, l: ['a', 'b'], p: 'aab', u: 'https://h.example/api/x' },
  { path: '/srv/a/b', s: 'b', n: 1, l: ['-v', '--out=x', 'a', 'aa'], u: 'https://h.example:443/api' },
  { path: '/srv/a', t: 'a', s: 1, n: 4.5, l: [], p: 'a*b' },
];
const WRIT: JsonObject = {
  initiator: { id: 'spiffe://x.test/agent/a', kind: 'agent' },
  environment: { digests: [`sha256:${'0a'.repeat(32)}`], assurance: 'self', maxAgeSeconds: 60 },
  governance: { policy: { id: 'p' }, approvals: [{ role: 'r', threshold: 2 }], purpose: 'x' },
  use: {
    maxUses: 3,
    budgets: [{ argument: 'n', total: 5 }],
    windows: [{ days: ['mon'], from: '09:00', to: '17:00', tz: 'Europe/Zurich' }],
  },
  attribution: { owner: 'ops', onBehalfOf: ['x'] },
};

/** Everything that is signed or constrains: AAT-02 and the profile. */
export function artifactTargets(): FuzzTarget[] {
  const maker = new TokenMaker();
  const root = maker.root();
  const leaf = maker.child(root);
  const chain = [root.compact, leaf.compact];
  const pop = maker.proof(leaf, READ, args);
  const context = { anchors, audiences: [GATEWAY], tool: READ, args, nowSeconds: NOW };
  const proofContext = { ...context, audienceRequired: false };
  const verified = must(verifyChain(chain, context));
  const cache = new ChainCache(64);
  const presentation: JsonObject = { aat_chain: chain, aat_pop: pop };
  const whole = JSON.stringify(presentation);
  const proofClaims = JSON.parse(
    Buffer.from(pop.split('.')[1] ?? '', 'base64url').toString('utf8'),
  ) as JsonObject;
  const hostileToken = (random: Random, token: string) =>
    random.chance(0.02) ? soup(random) : mutateText(random, token, pickFrom(random, [...chain, pop]));

  return [
    {
      name: 'constraint maps',
      feed(random) {
        const parentJson = bend(random, pickFrom(random, MAPS));
        const childJson = random.chance(0.7) ? bend(random, parentJson) : pickFrom(random, MAPS);
        const parent = parseConstraintMap(parentJson);
        const child = parseConstraintMap(childJson);
        if (isDenial(parent) || isDenial(child)) return 'refused';
        const call = bend(random, pickFrom(random, ARGUMENTS));
        if (findMapAmplification(parent, child) !== undefined) return 'accepted';
        // C(child) ⊆ C(parent): what the child permits, the parent permits.
        if (findArgumentViolation(child, call) !== undefined) return 'accepted';
        return findArgumentViolation(parent, call) === undefined
          ? 'accepted'
          : `amplified: ${JSON.stringify({ parentJson, childJson, call })}`;
      },
    },
    {
      name: 'writ claim',
      feed(random) {
        return isDenial(parseWritClaim(mutateJson(random, WRIT))) ? 'refused' : 'accepted';
      },
    },
    {
      name: 'trust anchors',
      feed(random) {
        const sample: JsonValue = [{ iss: ISSUER, jwk: { ...KEYS.issuer.publicKey.jwk } }];
        return isDenial(parseTrustAnchors(mutateJson(random, sample))) ? 'refused' : 'accepted';
      },
    },
    {
      name: 'presentation',
      feed(random) {
        const json = random.chance(0.5)
          ? mutateJson(random, presentation)
          : tryParse(mutateText(random, whole));
        const parsed = parsePresentation(json);
        if (isDenial(parsed)) return /^(artifact|identity)\./.test(parsed.code) ? 'refused' : parsed.code;
        const same = JSON.stringify(parsed.aat_chain) === JSON.stringify(chain) && parsed.aat_pop === pop;
        const result = verifyPresentation(json, { ...context, requireAudience: false, cache });
        return isDenial(result) || same ? 'accepted' : 'a bent presentation is permitted';
      },
    },
    {
      name: 'chain, bent after signing',
      feed(random) {
        const tokens = chain.map((token) => (random.chance(0.6) ? hostileToken(random, token) : token));
        if (random.chance(0.1)) tokens.push(pickFrom(random, chain));
        const result = verifyChain(tokens, context);
        if (isDenial(result)) return /^artifact\./.test(result.code) ? 'refused' : result.code;
        const prefix = tokens.every((token, at) => token === chain[at]);
        return prefix ? 'accepted' : 'a bent chain verifies';
      },
    },
    {
      name: 'proof, bent after signing',
      feed(random) {
        const input = hostileToken(random, pop);
        const result = verifyProof(input, verified, proofContext);
        if (!isDenial(result)) return input === pop ? 'accepted' : 'a bent proof verifies';
        return result.code === 'identity.proof_invalid' || result.code === 'identity.proof_missing'
          ? 'refused'
          : result.code;
      },
    },
    {
      name: 'chain, bent before signing',
      feed(random) {
        const asChild = random.chance(0.5);
        // Counted uses need an audience, and who bends everything gets nowhere: half of the tokens go without.
        const profile = random.chance(0.5) ? { aud: GATEWAY, writ: WRIT } : {};
        const claims = mutateJson(random, { ...(asChild ? leaf : root).claims, ...profile });
        if (!isJsonObject(claims) || !isSignable(claims)) return 'refused';
        const absent = Object.fromEntries(Object.keys(root.claims).map((name) => [name, undefined]));
        const overrides = { ...absent, ...claims };
        const token = asChild ? maker.child(root, overrides) : maker.root(overrides);
        const tokens = asChild ? [root.compact, token.compact] : [token.compact];
        const result = verifyChain(tokens, context);
        if (isDenial(result)) return /^artifact\./.test(result.code) ? 'refused' : result.code;
        return 'accepted';
      },
    },
    {
      name: 'proof, bent before signing',
      feed(random) {
        const claims = mutateJson(random, proofClaims);
        if (!isJsonObject(claims) || !isSignable(claims)) return 'refused';
        const absent = Object.fromEntries(Object.keys(proofClaims).map((name) => [name, undefined]));
        const result = verifyProof(
          maker.proof(leaf, READ, args, { ...absent, ...claims }),
          verified,
          proofContext,
        );
        if (isDenial(result)) return /^identity\.proof_/.test(result.code) ? 'refused' : result.code;
        return 'accepted';
      },
    },
  ];
}

function bend(random: Random, sample: JsonObject): JsonObject {
  if (random.chance(0.2)) return sample;
  const bent = mutateJson(random, sample, pickFrom(random, MAPS));
  return isJsonObject(bent) && isSignable(bent) ? bent : sample;
}

/** Lone surrogates and `__proto__` cannot be written as the JSON that is signed. */
function isSignable(value: JsonValue): boolean {
  const text = JSON.stringify(value);
  return !/\\ud[89a-f]/i.test(text) && !text.includes('__proto__');
}

function tryParse(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
