/**
 * What a decision costs against what it cannot do without: one Ed25519 verification and one Cedar evaluation; and what
 * making it durable adds. `node bench/decide.ts`.
 */
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Action } from '../src/decision/index.ts';
import { isDenial } from '../src/denial/index.ts';
import { must, READ } from '../test/support/trust-domain.ts';
import { openDecisionWorld } from './decision-world.ts';
import { median, microseconds, print, ratePerSecond } from './measure.ts';

const ROUNDS = 7;
const CALLS = 2000;
const IN_FLIGHT = 64;

const world = await openDecisionWorld();
const { domain, opened, policy, snapshotNow, actions } = world;
try {
  // The two costs nobody can avoid.
  const preparsed = cedar.preparsePolicySet('bench', {
    staticPolicies: Object.fromEntries(policy.bundle.policies.map(({ id, text }) => [id, text])),
  });
  if (preparsed.type !== 'success') throw new Error('policies do not parse');
  const sample = actions(1)[0] as Action;
  const { findings, answer } = world.decide(sample);
  if (isDenial(answer) || findings.lineage === undefined) throw new Error(JSON.stringify(answer));
  const { policyFactsOf } = await import('../src/decision/policy-facts.ts');
  const facts = policyFactsOf(findings.chain as never, snapshotNow(), findings.lineage, undefined);
  const cedarCall = must(
    policy.evaluationCall({
      principal: {
        id: domain.home.agent('worker'),
        enrolled: true,
        thumbprint: domain.agent.publicKey.thumbprint,
      },
      tool: READ,
      input: sample.args,
      facts,
    }),
  );

  const rounds: {
    verify: number;
    bound: number;
    cedar: number;
    decide: number;
    decideRate: number;
    runRate: number;
    alone: number;
  }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const batch = actions(CALLS);
    const signed = batch.map(({ presentation }) => {
      const pop = presentation !== undefined && !isDenial(presentation) ? presentation.aat_pop : '';
      const cut = pop.lastIndexOf('.');
      return {
        input: Buffer.from(pop.slice(0, cut)),
        signature: Buffer.from(pop.slice(cut + 1), 'base64url'),
      };
    });
    const key = domain.agent.publicKey;
    const verify = microseconds(CALLS, (at) => {
      const { input, signature } = signed[at] as (typeof signed)[number];
      if (!key.verify(input, signature)) throw new Error('signature');
    });
    const evaluation = microseconds(CALLS, () => {
      const result = cedar.statefulIsAuthorized({ ...cedarCall, preparsedPolicySetId: 'bench' });
      if (result.type !== 'success' || result.response.decision !== 'allow') throw new Error('cedar');
    });
    // Both in turn, as a decision does them: alone, each keeps the caches to itself.
    const bound = microseconds(CALLS, (at) => {
      const { input, signature } = signed[at] as (typeof signed)[number];
      if (!key.verify(input, signature)) throw new Error('signature');
      const result = cedar.statefulIsAuthorized({ ...cedarCall, preparsedPolicySetId: 'bench' });
      if (result.type !== 'success' || result.response.decision !== 'allow') throw new Error('cedar');
    });
    const decideUs = microseconds(CALLS, (at) => {
      if (isDenial(world.decide(batch[at] as Action).answer)) throw new Error('decide');
    });
    const queue = actions(12_000);
    const runRate = await ratePerSecond(IN_FLIGHT, 1000, async (at) => {
      const outcome = await opened.governor.run(queue[at] as Action, async () => ({
        status: 'succeeded',
        value: 1,
      }));
      if (outcome.verdict === 'deny') throw new Error(outcome.denial.code);
    });
    await opened.governor.settle();
    const single = actions(300);
    const times: number[] = [];
    for (const action of single) {
      const start = performance.now();
      await opened.governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
      times.push((performance.now() - start) * 1000);
      await opened.governor.settle();
    }
    // The first round warms up.
    if (round > 0) {
      rounds.push({
        verify,
        bound,
        cedar: evaluation,
        decide: decideUs,
        decideRate: 1_000_000 / decideUs,
        runRate,
        alone: median(times),
      });
    }
  }
  const of = (pick: (round: (typeof rounds)[number]) => number): number => median(rounds.map(pick));
  print(
    'one Ed25519 verification',
    of((r) => r.verify),
    'µs',
  );
  print(
    'one preparsed Cedar evaluation, 20 policies',
    of((r) => r.cedar),
    'µs',
  );
  print(
    'decide: cached chain, fresh proof, 20 policies',
    of((r) => r.decide),
    'µs',
  );
  print(
    '  against verification and evaluation, in turn',
    of((r) => r.decide / r.bound),
    '×',
    'target ≤ 1.3',
  );
  print(
    'decide alone, one thread',
    of((r) => r.decideRate),
    '/s',
  );
  print(
    `governor.run, durable, ${IN_FLIGHT} in flight`,
    of((r) => r.runRate),
    '/s',
  );
  print(
    '  against decide alone',
    of((r) => r.runRate / r.decideRate),
    '×',
    'target ≥ 0.7',
  );
  print(
    'governor.run, durable, alone',
    of((r) => r.alone),
    'µs',
  );
} finally {
  await world.close();
}
