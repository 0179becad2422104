import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseTrustAnchors, verifyPresentation } from '../../src/artifact/index.ts';
import { parseJsonObject } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import type { Case } from './case-list.ts';
import { ARTIFACT_VECTORS, artifactCases, serializeCases } from './generate.ts';

const text = readFileSync(ARTIFACT_VECTORS, 'utf8');
const cases: readonly Case[] = JSON.parse(text);

/** What a gateway does with the arguments' text and a presentation, without state. */
function judge(vector: Case): { verdict: string; code: string | null; detail: string } {
  const args = parseJsonObject(vector.args, 'request.malformed');
  const anchors = parseTrustAnchors(vector.anchors);
  if (isDenial(anchors)) throw new TypeError(anchors.detail);
  const { nonce } = vector;
  const result = isDenial(args)
    ? args
    : verifyPresentation(vector.presentation, {
        anchors,
        audiences: [vector.audience],
        requireAudience: vector.requireAudience,
        requireProofAudience: vector.requireProofAudience,
        ...(nonce === undefined ? {} : { acceptsNonce: (candidate: string) => candidate === nonce }),
        ...(vector.limits === undefined ? {} : { limits: vector.limits }),
        tool: vector.tool,
        args,
        nowSeconds: vector.now,
      });
  return isDenial(result)
    ? { verdict: 'deny', code: result.code, detail: result.detail }
    : { verdict: 'permit', code: null, detail: '' };
}

describe('artifact presentations', () => {
  it('are what the generator makes, byte for byte', () => {
    expect(serializeCases(artifactCases())).toBe(text);
  });

  it.each(cases.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const { verdict, code, detail } = judge(vector);
    expect({ verdict, code, detail }).toEqual({ ...vector.expected, detail: expect.any(String) });
    // A denial of a step of the draft names that step, so no case passes for another reason.
    const named = /^step (\w+):/.exec(detail)?.[1];
    if (named !== undefined && /^\d/.test(vector.step))
      expect(vector.step, detail).toMatch(new RegExp(`^${named}`));
  });

  it('cover every step of AAT-02 §8 that an input can fail at', () => {
    const steps = new Set(cases.map(({ step }) => step));
    // 4f and 5 follow from 3i, 4d and 4e; 7i needs state.
    const expected = [
      ...['1', '2a', '2b', '2c'],
      ...['3a', '3b', '3c', '3d', '3e', '3f', '3g', '3h', '3i', '3j', '3k', '3l', '3m', '3n'],
      ...[
        '4a',
        '4b',
        '4b1',
        '4b2',
        '4b3',
        '4b4',
        '4b5',
        '4c',
        '4d',
        '4e',
        '4g',
        '4h',
        '4i',
        '4j',
        '4k',
        '4l',
        '4m',
      ],
      ...['4n', '4o', '4p1', '4p2', '4p3', '4p4', '4q', '6a', '6b', '6c'],
      ...['7a', '7b', '7c', '7d', '7e', '7f', '7g', '7h'],
    ];
    for (const step of expected) expect(steps, step).toContain(step);
  });
});
