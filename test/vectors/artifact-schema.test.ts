import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseWritClaim } from '../../src/artifact/index.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import type { Case } from './case-list.ts';
import { ARTIFACT_VECTORS } from './generate.ts';

const schema = JSON.parse(readFileSync(new URL('../../spec/artifact.schema.json', import.meta.url), 'utf8'));
const claims = z.fromJSONSchema(schema);
const cases: readonly Case[] = JSON.parse(readFileSync(ARTIFACT_VECTORS, 'utf8'));

function tokensOf({ presentation }: Case): readonly JsonObject[] {
  const chain = isJsonObject(presentation) ? presentation.aat_chain : undefined;
  if (!Array.isArray(chain)) return [];
  return chain.map((compact) => {
    const payload: JsonValue = JSON.parse(
      Buffer.from(String(compact).split('.')[1] ?? '', 'base64url').toString(),
    );
    if (!isJsonObject(payload)) throw new TypeError('payload is not an object');
    return payload;
  });
}

describe('spec/artifact.schema.json', () => {
  it('holds for every token that is permitted', () => {
    const permitted = cases.filter(({ expected }) => expected.verdict === 'permit').flatMap(tokensOf);
    expect(permitted.length).toBeGreaterThan(100);
    for (const token of permitted) expect(claims.safeParse(token).error?.issues ?? []).toEqual([]);
  });

  it('never refuses a claim writ that the parser accepts, and is refused by the parser where it refuses', () => {
    const tokens = cases.filter(({ step }) => step === 'writ' || step === 'window').flatMap(tokensOf);
    let refused = 0;
    for (const token of tokens) {
      if (token.writ === undefined) continue;
      if (claims.safeParse(token).success) continue;
      refused += 1;
      expect(isDenial(parseWritClaim(token.writ)), JSON.stringify(token.writ)).toBe(true);
    }
    // Distinctness, known zones and windows of no length are beyond the schema; the rest it says too.
    expect(refused).toBeGreaterThan(30);
  });
});
