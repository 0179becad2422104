import { createSecretKey } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must, TestDomain } from '../../test/support/trust-domain.ts';
import { ChainCache } from '../artifact/index.ts';
import { digestOf } from '../codec/index.ts';
import { measurementOf } from '../environment/index.ts';
import { systemClock } from './clock.ts';
import { readEvidenceKey } from './evidence-key.ts';
import { ExecutionFinder } from './execution-finder.ts';
import { openGovernanceFollower } from './governance-follower.ts';
import { Governor } from './governor.ts';
import { openInstanceLog } from './instance-log.ts';

const bound = measurementOf([], 'self', Date.now() / 1000);
const other = measurementOf([{ kind: 'file', name: 'a', digest: digestOf('a') }], 'self', Date.now() / 1000);

let domain: TestDomain;
let governor: Governor;
let close: () => Promise<void>;
/** What is awaited, in order, and what of it comes. */
let awaited: string[];
let measurement = bound;
let isCovered = true;
let comesQuote = true;

beforeEach(async () => {
  domain = await TestDomain.create();
  const { home } = domain;
  const clock = systemClock;
  const follower = must(openGovernanceFollower(home, clock));
  const evidenceKey = must(readEvidenceKey(home.evidenceKeyFile));
  const { log, logName } = must(await openInstanceLog({ home, name: 'fs', clock, evidenceKey, follower }));
  const finder = new ExecutionFinder(home, log, logName, () => follower.view.state);
  awaited = [];
  measurement = bound;
  isCovered = true;
  comesQuote = true;
  governor = new Governor({
    log,
    origin: home.executionOrigin(logName),
    evidenceKey: createSecretKey(evidenceKey),
    clock,
    governance: follower,
    awaitParent: async () => {
      awaited.push('parent');
      isCovered = true;
      return true;
    },
    awaitQuote: async (_chain, { code }) => {
      awaited.push(code);
      if (comesQuote) measurement = bound;
    },
    surroundings: () => ({
      audiences: [home.audience('fs')],
      keepsCounters: true,
      maxStalenessSeconds: 10,
      measurement,
      findParent: (id) => (isCovered ? finder.find(id) : undefined),
      maxLineageDepth: 8,
      cache: new ChainCache(4),
    }),
  });
  close = async () => {
    await governor.close();
    finder.close();
    follower.close();
  };
});
afterEach(async () => {
  await close();
  domain.dispose();
});

test('a call that waited for its quote waits for its parent as well', async () => {
  const audience = domain.home.audience('fs');
  const chain = [domain.issue({ writ: { environment: { digests: [bound.digest] } } })];
  let runs = 0;
  const run = (parent?: string) =>
    governor.run(domain.call(chain, { audience, ...(parent !== undefined && { parent }) }), async () => {
      runs += 1;
      return { status: 'succeeded', value: runs };
    });
  const parent = await run();
  expect(parent).toMatchObject({ verdict: 'permit' });

  // Its environment is proven late, and its parent’s log is covered late.
  [measurement, isCovered] = [other, false];
  expect(await run(parent.executionId)).toMatchObject({ verdict: 'permit', value: 2 });
  expect(awaited).toEqual(['environment.mismatch', 'parent']);

  // Without the one the other is not waited for.
  [measurement, isCovered, comesQuote] = [other, false, false];
  expect(await run(parent.executionId)).toMatchObject({ denial: { code: 'environment.mismatch' } });
  expect(awaited.slice(2)).toEqual(['environment.mismatch']);
  expect(runs).toBe(2);
});
