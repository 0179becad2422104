import { expect, test } from 'vitest';
import { runKillRounds } from '../campaign/kill-rounds.ts';
import { Random } from '../campaign/random.ts';

// A few rounds of the campaign that `node test/campaign/kill.ts` runs by the hundred (docs/campaigns.md).

const SEED = 20;

test('a gateway killed at random moments leaves nothing acknowledged unrecorded, no effect without a permit, and no proof to use again', async () => {
  const report = await runKillRounds({ rounds: 4, roundsPerWorld: 4, random: new Random(SEED) });
  expect(report.violations).toEqual([]);
  expect(report.rounds).toBe(4);
  expect(report.effects).toBeGreaterThan(20);
  expect(report.permits).toBeGreaterThanOrEqual(report.effects);
  expect(report.denied).toBeGreaterThan(3);
  expect(report.replays).toBeGreaterThan(20);
}, 120_000);
