import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isDenial } from '../../src/denial/index.ts';
import { parsePublicJwk } from '../../src/key/index.ts';
import { readSharedVectors } from './shared-vectors.ts';

const Suite = z.object({
  testGroups: z.array(
    z.object({
      publicKeyJwk: z.unknown(),
      tests: z.array(
        z.object({
          tcId: z.number(),
          comment: z.string(),
          flags: z.array(z.string()),
          msg: z.string(),
          sig: z.string(),
          result: z.enum(['valid', 'invalid']),
        }),
      ),
    }),
  ),
});

const found = readSharedVectors('wycheproof-ed25519.json');

/** Writ is stricter in one thing: a key of small order is refused, whatever it would verify. */
describe.skipIf(found === undefined)('Wycheproof Ed25519', () => {
  const { testGroups } = found === undefined ? { testGroups: [] } : Suite.parse(found);
  const tests = testGroups.flatMap((group) =>
    group.tests.map((test) => ({ ...test, key: parsePublicJwk(group.publicKeyJwk, 'artifact.malformed') })),
  );

  it('has its 151 cases', () => {
    expect(tests).toHaveLength(151);
  });

  it.each(tests)('$tcId $comment', ({ key, msg, sig, result }) => {
    const verified = !isDenial(key) && key.verify(Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex'));
    expect(verified).toBe(result === 'valid');
  });

  it('refuses a key for its order alone, and only where the vector is invalid too', () => {
    const refused = tests.filter(({ key }) => isDenial(key));
    for (const { key, result } of refused) {
      expect(isDenial(key) && key.detail).toMatch(/small-order/);
      expect(result).toBe('invalid');
    }
  });
});
