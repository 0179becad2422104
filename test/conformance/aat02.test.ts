import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseTrustAnchors, verifyPresentation } from '../../src/artifact/index.ts';
import type { JsonObject, JsonValue } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { readSharedVectors } from './shared-vectors.ts';

const json: z.ZodType<JsonValue> = z.json();
const object: z.ZodType<JsonObject> = z.record(z.string(), json);
const Suite = z.object({
  params: z.object({ now: z.number(), audience: z.string() }),
  trust_anchors: z.array(object),
  vectors: z.array(
    z.object({
      id: z.string(),
      tool: z.string(),
      args: object,
      chain_compact: z.array(z.string()),
      pop_compact: z.string(),
      expected: z.object({ verdict: z.enum(['PERMIT', 'DENY']) }),
    }),
  ),
});

const found = readSharedVectors('aat02-j1.json');

describe.skipIf(found === undefined)('AAT-02 vectors of the draft', () => {
  const suite = found === undefined ? undefined : Suite.parse(found);
  const vectors = suite?.vectors ?? [];

  it.each(vectors.map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    const anchors = parseTrustAnchors(suite?.trust_anchors ?? []);
    if (isDenial(anchors)) throw new TypeError(anchors.detail);
    const context = {
      anchors,
      audiences: [suite?.params.audience ?? ''],
      requireAudience: false,
      tool: vector.tool,
      args: vector.args,
      nowSeconds: suite?.params.now ?? 0,
    };
    const presentation = { aat_chain: vector.chain_compact, aat_pop: vector.pop_compact };
    const result = verifyPresentation(presentation, context);
    expect(isDenial(result) ? `DENY ${result.detail}` : 'PERMIT').toBe(vector.expected.verdict);

    // The profile's own demand: none of the draft's tokens carries aud.
    const strict = verifyPresentation(presentation, { ...context, requireAudience: true });
    expect(isDenial(strict) && strict.code).toBe('artifact.audience_mismatch');
  });
});
