import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import { GOVERNANCE_EVENT, type GovernanceEvent, serializeGovernanceEvent } from './event.ts';
import { foldGovernance } from './fold.ts';
import type { GovernanceState } from './state.ts';

const keys = [1, 2, 3].map((seed) => SigningKey.fromSeed(new Uint8Array(32).fill(seed)).publicKey);
const key = fc.constantFrom(...keys);
const iss = fc.constantFrom('spiffe://example.test/issuer', 'spiffe://other.test/issuer');
const subject = fc.constantFrom('spiffe://example.test/agent/a', 'spiffe://example.test/agent/b');
const digest = fc.constantFrom(`sha256:${'0a'.repeat(32)}` as const, `sha256:${'0b'.repeat(32)}` as const);
const jti = fc.constantFrom('one', 'two', 'three');
const common = { type: GOVERNANCE_EVENT, at: 1_700_000_000, actor: 'operator' } as const;

const event: fc.Arbitrary<GovernanceEvent> = fc.oneof(
  fc.constant({ ...common, event: 'domain.created', name: 'example.test' } as const),
  fc.tuple(iss, key).map(([iss, { jwk }]) => ({ ...common, event: 'anchor.added', iss, jwk }) as const),
  fc
    .tuple(iss, key)
    .map(([iss, { thumbprint }]) => ({ ...common, event: 'anchor.retired', iss, thumbprint }) as const),
  fc
    .tuple(subject, key)
    .map(([subject, { jwk }]) => ({ ...common, event: 'agent.enrolled', subject, jwk }) as const),
  subject.map((subject) => ({ ...common, event: 'agent.retired', subject }) as const),
  fc
    .tuple(subject, key)
    .map(
      ([subject, { thumbprint }]) => ({ ...common, event: 'agent.retired', subject, thumbprint }) as const,
    ),
  digest.map((digest) => ({ ...common, event: 'policy.published', id: 'files', digest }) as const),
  jti.map((value) => ({ ...common, event: 'revoked', handle: 'token', value }) as const),
  subject.map((value) => ({ ...common, event: 'revoked', handle: 'subject', value }) as const),
  digest.map((value) => ({ ...common, event: 'revoked', handle: 'environment', value }) as const),
);
const log = fc.array(event, { maxLength: 25 }).map((events) => events.map(serializeGovernanceEvent));

function fold(entries: readonly Uint8Array[], from?: GovernanceState): GovernanceState {
  const state = foldGovernance(entries, from);
  if (isDenial(state)) throw new Error(state.detail);
  return state;
}

/** All that a state answers. */
function answersOf(state: GovernanceState): unknown {
  return {
    epoch: state.epoch,
    domain: state.domain,
    anchors: state.anchors.map(({ iss, key }) => [iss, key.thumbprint]),
    policy: state.policy,
    agents: state.agents.map(({ subject, keys }) => [subject, keys.map(({ thumbprint }) => thumbprint)]),
    byThumbprint: keys.map(({ thumbprint }) => [
      state.agentByThumbprint(thumbprint)?.subject,
      state.subjectsOf(thumbprint),
    ]),
    revocations: state.revocations,
  };
}

test('folding is deterministic', () => {
  fc.assert(
    fc.property(log, (entries) => {
      expect(answersOf(fold(entries))).toEqual(answersOf(fold(entries)));
    }),
  );
});

test('following a log is folding it: fold(a ++ b) = fold(b, fold(a)), and fold(a) stays what it was', () => {
  fc.assert(
    fc.property(log, log, (before, after) => {
      const base = fold(before);
      const answers = answersOf(base);
      expect(answersOf(fold(after, base))).toEqual(answersOf(fold([...before, ...after])));
      expect(answersOf(base)).toEqual(answers);
    }),
  );
});

test('two continuations of one state do not see each other', () => {
  fc.assert(
    fc.property(log, log, log, (base, left, right) => {
      const from = fold(base);
      const leftState = fold(left, from);
      const rightState = fold(right, from);
      expect(answersOf(leftState)).toEqual(answersOf(fold([...base, ...left])));
      expect(answersOf(rightState)).toEqual(answersOf(fold([...base, ...right])));
    }),
  );
});

test('an agent has the keys that speak for it, and no key speaks for two', () => {
  fc.assert(
    fc.property(log, (entries) => {
      const state = fold(entries);
      for (const { thumbprint } of keys) {
        const holders = state.agents.filter((agent) =>
          agent.keys.some((held) => held.thumbprint === thumbprint),
        );
        expect(holders.map(({ subject }) => subject)).toEqual(
          [state.agentByThumbprint(thumbprint)?.subject].filter((found) => found !== undefined),
        );
      }
    }),
  );
});

test('what is revoked stays revoked, whatever follows', () => {
  fc.assert(
    fc.property(log, log, (before, after) => {
      const revoked = fold(before).revocations;
      expect(fold([...before, ...after]).revocations.slice(0, revoked.length)).toEqual(revoked);
    }),
  );
});
