import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { canonicalize, parseJson } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { readSharedVectors } from './shared-vectors.ts';

const Suite = z.object({
  cases: z.array(z.object({ name: z.string(), input: z.string(), outputHex: z.string() })),
});

const found = readSharedVectors('rfc8785-jcs.json');

/**
 * One number of this case is written with more digits than a double holds (333333333.33333329): RFC 8785 rounds it,
 * AAT-02 §3.4 refuses it as inadmissible.
 */
const INADMISSIBLE = 'values';

describe.skipIf(found === undefined)('RFC 8785 vectors', () => {
  const { cases } = found === undefined ? { cases: [] } : Suite.parse(found);

  it.each(cases)('$name canonicalizes', ({ input, outputHex }) => {
    expect(Buffer.from(canonicalize(JSON.parse(input))).toString('hex')).toBe(outputHex);
  });

  it.each(cases)('$name parses strictly', ({ name, input, outputHex }) => {
    const value = parseJson(input, 'request.malformed');
    if (name === INADMISSIBLE) {
      expect(isDenial(value) && value.detail).toMatch(/not admissible/);
      return;
    }
    if (isDenial(value)) throw new TypeError(value.detail);
    expect(Buffer.from(canonicalize(value)).toString('hex')).toBe(outputHex);
  });
});
