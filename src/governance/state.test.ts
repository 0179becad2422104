import { expect, test } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import { GOVERNANCE_EVENT, type GovernanceEvent, serializeGovernanceEvent } from './event.ts';
import { foldGovernance } from './fold.ts';
import { GovernanceState } from './state.ts';

const [one, two, three] = [1, 2, 3].map(
  (seed) => SigningKey.fromSeed(new Uint8Array(32).fill(seed)).publicKey,
) as [SigningKey['publicKey'], SigningKey['publicKey'], SigningKey['publicKey']];
const common = { type: GOVERNANCE_EVENT, at: 1_700_000_000, actor: 'operator' } as const;
const iss = 'spiffe://example.test/issuer';
const ada = 'spiffe://example.test/agent/ada';
const bob = 'spiffe://example.test/agent/bob';
const digest = `sha256:${'0a'.repeat(32)}` as const;
const otherDigest = `sha256:${'0b'.repeat(32)}` as const;

function stateOf(...events: GovernanceEvent[]): GovernanceState {
  const state = foldGovernance(events.map(serializeGovernanceEvent));
  if (isDenial(state)) throw new Error(state.detail);
  expect(state.epoch).toBe(events.length);
  return state;
}

const anchor = (key = one): GovernanceEvent => ({ ...common, event: 'anchor.added', iss, jwk: key.jwk });
const enrol = (subject: string, key = one): GovernanceEvent => ({
  ...common,
  event: 'agent.enrolled',
  subject,
  jwk: key.jwk,
});
const retire = (subject: string, key?: typeof one): GovernanceEvent => ({
  ...common,
  event: 'agent.retired',
  subject,
  ...(key ? { thumbprint: key.thumbprint } : {}),
});

test('the empty state knows nobody', () => {
  expect(GovernanceState.empty).toMatchObject({
    epoch: 0,
    domain: undefined,
    anchors: [],
    policy: undefined,
  });
  expect(GovernanceState.empty.agentByThumbprint(one.thumbprint)).toBeUndefined();
});

test('an issuer rotates its key: both are trusted until the old one is retired', () => {
  const both = stateOf(anchor(one), anchor(two));
  expect(both.anchors).toEqual([
    { iss, key: one },
    { iss, key: two },
  ]);
  const rotated = both.apply({ ...common, event: 'anchor.retired', iss, thumbprint: one.thumbprint });
  expect(rotated.anchors).toEqual([{ iss, key: two }]);
  expect(both.anchors).toHaveLength(2);
});

test('retiring a key of one issuer leaves it trusted for another', () => {
  const other = 'spiffe://other.test/issuer';
  const state = stateOf(
    anchor(one),
    { ...common, event: 'anchor.added', iss: other, jwk: one.jwk },
    { ...common, event: 'anchor.retired', iss, thumbprint: one.thumbprint },
  );
  expect(state.anchors).toEqual([{ iss: other, key: one }]);
});

test('anchors are one array until they change', () => {
  const before = stateOf(anchor(one));
  expect(before.apply(enrol(ada)).anchors).toBe(before.anchors);
});

test('an agent is known by its subject and by each of its keys', () => {
  const state = stateOf(enrol(ada, one), enrol(ada, two));
  expect(state.agentBySubject(ada)).toEqual({ subject: ada, keys: [one, two] });
  expect(state.agentByThumbprint(two.thumbprint)?.subject).toBe(ada);
  expect(state.agentByThumbprint(three.thumbprint)).toBeUndefined();
});

test('a retired key speaks for nobody, the other keys of the agent still do', () => {
  const state = stateOf(enrol(ada, one), enrol(ada, two), retire(ada, one));
  expect(state.agentByThumbprint(one.thumbprint)).toBeUndefined();
  expect(state.agentByThumbprint(two.thumbprint)?.subject).toBe(ada);
  expect(state.subjectsOf(one.thumbprint)).toEqual([ada]);
});

test('a retired agent is gone with all its keys, and stays on record', () => {
  const state = stateOf(enrol(ada, one), enrol(ada, two), retire(ada));
  expect(state.agentBySubject(ada)).toBeUndefined();
  expect(state.agentByThumbprint(one.thumbprint)).toBeUndefined();
  expect(state.agents).toEqual([{ subject: ada, keys: [] }]);
});

test('a key speaks for one subject at a time', () => {
  const taken = stateOf(enrol(ada, one), enrol(bob, one));
  expect(taken.agentByThumbprint(one.thumbprint)?.subject).toBe(ada);
  expect(taken.agentBySubject(bob)).toBeUndefined();
  const handedOver = stateOf(enrol(ada, one), retire(ada), enrol(bob, one));
  expect(handedOver.agentByThumbprint(one.thumbprint)?.subject).toBe(bob);
  expect(handedOver.subjectsOf(one.thumbprint)).toEqual([ada, bob]);
});

test('the policy published last is the active one', () => {
  const state = stateOf(
    { ...common, event: 'policy.published', id: 'files', digest },
    { ...common, event: 'policy.published', id: 'files', digest: otherDigest },
  );
  expect(state.policy).toEqual({ id: 'files', digest: otherDigest });
});

test('logs keep every key their checkpoints may be signed with', () => {
  const origin = 'example.test/execution/fs';
  const [first, second] = [1, 2].map(
    (byte) => `${origin}+0a1b2c3d+${Buffer.alloc(33, byte).toString('base64')}`,
  );
  const state = stateOf(
    { ...common, event: 'log.enrolled', origin, vkey: first ?? '' },
    { ...common, event: 'log.enrolled', origin, vkey: second ?? '' },
  );
  expect(state.logByOrigin(origin)).toEqual({ origin, vkeys: [first, second] });
  expect(state.logs).toHaveLength(1);
});

test('artifacts that were issued are found by their jti', () => {
  const event: GovernanceEvent = {
    ...common,
    event: 'artifact.issued',
    jti: 'a',
    hash: one.thumbprint,
    iss,
    holder: two.thumbprint,
    exp: 2_000_000_000,
  };
  const state = stateOf(event);
  expect(state.issuedArtifact('a')).toEqual(event);
  expect(state.issuedArtifact('b')).toBeUndefined();
  expect(state.issuedArtifacts).toEqual([event]);
});

const CONFLICTS: readonly [string, readonly GovernanceEvent[], GovernanceEvent][] = [
  [
    'a second name for the domain',
    [{ ...common, event: 'domain.created', name: 'example.test' }],
    { ...common, event: 'domain.created', name: 'evil.test' },
  ],
  ['an anchor that is there', [anchor(one)], anchor(one)],
  [
    'an anchor that is not there',
    [],
    { ...common, event: 'anchor.retired', iss, thumbprint: one.thumbprint },
  ],
  ['a key of another agent', [enrol(ada, one)], enrol(bob, one)],
  ['an agent that is not there', [], retire(ada)],
  ['a key of another agent to retire', [enrol(ada, one), enrol(bob, two)], retire(ada, two)],
  [
    'what is revoked already',
    [{ ...common, event: 'revoked', handle: 'subject', value: ada, reason: 'first' }],
    { ...common, event: 'revoked', handle: 'subject', value: ada, reason: 'second' },
  ],
];

test.each(CONFLICTS)(
  '%s is a conflict: it is told beforehand, and changes nothing but the epoch',
  (_name, before, event) => {
    const state = stateOf(...before);
    expect(state.findConflict(event)).toEqual(expect.any(String));
    const after = state.apply(event);
    expect(after.epoch).toBe(state.epoch + 1);
    for (const part of ['domain', 'anchors', 'policy', 'agents', 'logs', 'revocations'] as const) {
      expect(after[part]).toEqual(state[part]);
    }
  },
);

test('asking for conflicts changes nothing', () => {
  const state = stateOf(anchor(one));
  expect(state.findConflict(enrol(ada))).toBeUndefined();
  expect(state.agentBySubject(ada)).toBeUndefined();
  expect(state.epoch).toBe(1);
});

test('an agent has a bounded number of keys', () => {
  const keys = Array.from({ length: 65 }, (_, index) => {
    const seed = new Uint8Array(32).fill(9);
    seed[0] = index;
    return SigningKey.fromSeed(seed).publicKey;
  });
  const state = stateOf(...keys.map((key) => enrol(ada, key)));
  expect(state.agentBySubject(ada)?.keys).toHaveLength(64);
});

test('one unreadable entry and there is no state at all', () => {
  const entries = [anchor(one), enrol(ada, two)].map(serializeGovernanceEvent);
  const state = foldGovernance([...entries, Buffer.from('{"event":"anchor.added"}'), ...entries]);
  expect(state).toMatchObject({ code: 'revocation.stale', detail: expect.stringContaining('entry 2') });
});
