import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { verifyChain, verifyProof } from '../../src/artifact/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { ISSUER, KEYS, NOW, READ, TokenMaker } from '../vectors/token-maker.ts';
import { readSharedVectors } from './shared-vectors.ts';

const Suite = z.object({
  testGroups: z.array(
    z.object({
      tests: z.array(
        z.object({ tcId: z.number(), comment: z.string(), jws: z.string(), result: z.string() }),
      ),
    }),
  ),
});

const found = readSharedVectors('wycheproof-jws.json');

/**
 * Not one of the 401 cases uses Ed25519 (they are HS, RS, PS, ES and `none`), so what applies is that each is refused,
 * the valid ones too, by the allowlist of algorithms and the explicit types.
 */
describe.skipIf(found === undefined)('Wycheproof JWS', () => {
  const { testGroups } = found === undefined ? { testGroups: [] } : Suite.parse(found);
  const tests = testGroups.flatMap((group) => group.tests);
  const anchors = [{ iss: ISSUER, key: KEYS.issuer.publicKey }];
  const chain = verifyChain([new TokenMaker().root().compact], { anchors, nowSeconds: NOW });
  if (isDenial(chain)) throw new TypeError(chain.detail);

  it.each(tests)('$tcId $comment', ({ jws }) => {
    const proof = verifyProof(jws, chain, {
      tool: READ,
      args: {},
      nowSeconds: NOW,
      audiences: [],
      audienceRequired: false,
    });
    // 7a: taken apart and header, before any key is used.
    expect(isDenial(proof) && `${proof.code} ${proof.detail}`).toMatch(/^identity\.proof_invalid step 7a/);
    expect(isDenial(verifyChain([jws], { anchors, nowSeconds: NOW }))).toBe(true);
  });
});
