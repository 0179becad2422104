import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import { GOVERNANCE_EVENT, type GovernanceEvent, type Revoked, serializeGovernanceEvent } from './event.ts';
import { foldGovernance } from './fold.ts';
import { type RevocableChain, type RevocationHandles, revocationHandlesOf } from './revocation.ts';
import { GovernanceState } from './state.ts';

const keys = Array.from(
  { length: 6 },
  (_, seed) => SigningKey.fromSeed(new Uint8Array(32).fill(seed + 1)).publicKey,
);
const common = { type: GOVERNANCE_EVENT, at: 1_700_000_000, actor: 'operator' } as const;
const policyDigest = `sha256:${'0a'.repeat(32)}` as const;
const environmentDigest = `sha256:${'0b'.repeat(32)}` as const;
const initiator = 'mailto:ada@example.test';

function keyAt(index: number): SigningKey['publicKey'] {
  const key = keys[index];
  if (key === undefined) throw new Error('no such key');
  return key;
}

function subjectAt(index: number): string {
  return `spiffe://example.test/agent/${index}`;
}

/** A chain whose token n is held by key n + 1 and signed by key n; key 0 is the anchor. */
function chainOf(length: number): RevocableChain {
  const iss = 'spiffe://example.test/issuer';
  return {
    tokens: Array.from({ length }, (_, index) => ({
      jti: `token ${index}`,
      iss: index === 0 ? iss : keyAt(index).thumbprintUri,
      holder: keyAt(index + 1),
    })),
    root: { writ: { initiator: { id: initiator } } },
    anchor: { iss, key: keyAt(0) },
  };
}

function stateOf(events: readonly GovernanceEvent[]): GovernanceState {
  const state = foldGovernance(events.map(serializeGovernanceEvent));
  if (isDenial(state)) throw new Error(state.detail);
  return state;
}

const enrolments: readonly GovernanceEvent[] = keys.map(({ jwk }, index) => ({
  ...common,
  event: 'agent.enrolled',
  subject: subjectAt(index),
  jwk,
}));

function revoke(handle: Revoked['handle'], value: string): GovernanceEvent {
  return { ...common, event: 'revoked', handle, value };
}

function findIn(events: readonly GovernanceEvent[], chain: RevocableChain) {
  const state = stateOf(events);
  return state.findRevocation(revocationHandlesOf(chain, state, { policyDigest, environmentDigest }));
}

/** Every handle of a chain of n tokens, by every name it has. */
function handlesOf(length: number): [Revoked['handle'], string][] {
  const chain = chainOf(length);
  return [
    ...chain.tokens.map(({ jti }): [Revoked['handle'], string] => ['token', jti]),
    ...chain.tokens.map(({ holder }): [Revoked['handle'], string] => ['holder', holder.thumbprint]),
    ['holder', chain.anchor.key.thumbprint],
    ...chain.tokens.map((_, index): [Revoked['handle'], string] => ['subject', subjectAt(index + 1)]),
    ['subject', initiator],
    ...chain.tokens.map(({ iss }): [Revoked['handle'], string] => ['issuer', iss]),
    ...chain.tokens.map((_, index): [Revoked['handle'], string] => ['issuer', keyAt(index).thumbprint]),
    ['policy', policyDigest],
    ['environment', environmentDigest],
  ];
}

test('nothing revoked, nothing found', () => {
  expect(findIn(enrolments, chainOf(4))).toBeUndefined();
});

test('a revocation cascades: a chain with any revoked handle, anywhere in it, is found', () => {
  for (const length of [1, 2, 3, 5]) {
    for (const [handle, value] of handlesOf(length)) {
      expect(findIn([...enrolments, revoke(handle, value)], chainOf(length))).toMatchObject({
        handle,
        value,
      });
    }
  }
});

test('what hangs on a revoked token is revoked, what stands beside or above it is not', () => {
  const events = [...enrolments, revoke('token', 'token 2')];
  expect(findIn(events, chainOf(2))).toBeUndefined();
  expect(findIn(events, chainOf(3))).toMatchObject({ value: 'token 2' });
  expect(findIn(events, chainOf(5))).toMatchObject({ value: 'token 2' });
});

test('a handle revokes its own kind only', () => {
  const chain = chainOf(2);
  expect(findIn([...enrolments, revoke('token', initiator)], chain)).toBeUndefined();
  expect(findIn([...enrolments, revoke('policy', environmentDigest)], chain)).toBeUndefined();
  expect(findIn([...enrolments, revoke('environment', policyDigest)], chain)).toBeUndefined();
});

test('the leaf holder is no issuer', () => {
  expect(findIn([...enrolments, revoke('issuer', keyAt(2).thumbprint)], chainOf(2))).toBeUndefined();
});

test('retiring an agent first does not save its key from the revocation of its subject', () => {
  const retired: GovernanceEvent = { ...common, event: 'agent.retired', subject: subjectAt(2) };
  const events = [...enrolments, retired, revoke('subject', subjectAt(2))];
  expect(findIn(events, chainOf(2))).toMatchObject({ handle: 'subject', value: subjectAt(2) });
});

test('a subject revoked before its key is enrolled is revoked for that key as well', () => {
  expect(findIn([revoke('subject', subjectAt(1)), ...enrolments], chainOf(1))).toMatchObject({
    handle: 'subject',
  });
});

test('the order of handles and their repetition change nothing: the earliest revocation is named', () => {
  const handle = fc.constantFrom(...handlesOf(3));
  fc.assert(
    fc.property(fc.uniqueArray(handle, { maxLength: 8 }), fc.nat(), (revoked, seed) => {
      const state = stateOf([...enrolments, ...revoked.map(([kind, value]) => revoke(kind, value))]);
      const handles = revocationHandlesOf(chainOf(3), state, { policyDigest, environmentDigest });
      const shuffled: RevocationHandles = {
        ...handles,
        tokens: rotate(handles.tokens, seed),
        holders: rotate([...handles.holders, ...handles.holders], seed),
        subjects: rotate(handles.subjects, seed),
        issuers: [...handles.issuers].reverse(),
      };
      const found = state.findRevocation(shuffled);
      expect(found).toEqual(state.findRevocation(handles));
      expect(found === undefined).toBe(revoked.length === 0);
      if (found !== undefined) expect(found.index).toBe(enrolments.length);
    }),
  );
});

test('among 10,000 revocations each is found and no other', () => {
  let state = GovernanceState.empty;
  for (let index = 0; index < 10_000; index += 1) {
    state = state.apply({ ...common, event: 'revoked', handle: 'token', value: `revoked ${index}` });
  }
  const handles = { tokens: ['token'], holders: [], subjects: [], issuers: [] };
  for (let index = 0; index < 10_000; index += 1) {
    expect(state.findRevocation({ ...handles, tokens: ['a', `revoked ${index}`] })?.index).toBe(index);
  }
  expect(state.findRevocation(handles)).toBeUndefined();
});

function rotate<T>(items: readonly T[], by: number): readonly T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
