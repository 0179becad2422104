import { expect, test } from 'vitest';
import { fuzzTargets } from './fuzz-targets.ts';
import { Random } from './random.ts';

// The first inputs of the campaign that `node test/campaign/fuzz.ts` runs by the million (docs/campaigns.md).

const RUNS = 100;

test('every parser answers hostile input and keeps its property', async () => {
  for (const { name, feed } of await fuzzTargets()) {
    const random = new Random(2);
    const wrong: string[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const verdict = await feed(random);
      if (verdict !== 'accepted' && verdict !== 'refused') wrong.push(verdict);
    }
    expect(wrong, name).toEqual([]);
  }
});
