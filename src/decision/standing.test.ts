import { describe, expect, it } from 'vitest';
import type { VerifiedChain } from '../artifact/index.ts';
import { digestOf } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { measurementOf } from '../environment/index.ts';
import {
  foldGovernance,
  GOVERNANCE_EVENT,
  type GovernanceEvent,
  type GovernanceState,
  serializeGovernanceEvent,
} from '../governance/index.ts';
import { SigningKey } from '../key/index.ts';
import type { Snapshot } from './snapshot.ts';
import { checkIdentity, checkRevocation } from './standing.ts';

const key = (seed: number) => SigningKey.fromSeed(Buffer.alloc(32, seed)).publicKey;
const [anchor, planner, worker] = [key(1), key(2), key(3)];
const PLANNER = 'spiffe://d/agent/planner';
const WORKER = 'spiffe://d/agent/worker';
const NOW = 1000;

type EventOf<E> = E extends GovernanceEvent ? Omit<E, 'type' | 'at' | 'actor'> : never;

function state(...events: EventOf<GovernanceEvent>[]): GovernanceState {
  const folded = foldGovernance(
    events.map((event) =>
      serializeGovernanceEvent({ type: GOVERNANCE_EVENT, at: 1, actor: 'a', ...event } as GovernanceEvent),
    ),
  );
  if (isDenial(folded)) throw new TypeError(folded.detail);
  return folded;
}

const enrolled = (subject: string, { jwk }: { jwk: typeof planner.jwk }) =>
  ({ event: 'agent.enrolled', subject, jwk }) as const;
const retired = (subject: string) => ({ event: 'agent.retired', subject }) as const;

function chain(initiator?: { id: string; kind: 'human' | 'agent' | 'workload' }): VerifiedChain {
  const token = (jti: string, iss: string, holder: typeof planner) => ({ jti, iss, holder, writ: {} });
  const root = { ...token('root', 'spiffe://d/issuer', planner), writ: initiator ? { initiator } : {} };
  const leaf = token('leaf', planner.thumbprintUri, worker);
  const tokens = [root, leaf];
  return { tokens, root, leaf, anchor: { iss: root.iss, key: anchor } } as unknown as VerifiedChain;
}

const codeOf = (result: unknown) => (isDenial(result) ? result.code : result);

describe('checkIdentity', () => {
  const both = [enrolled(PLANNER, planner), enrolled(WORKER, worker)];

  it('names the agent that holds the leaf key now', () => {
    expect(checkIdentity(chain(), state(...both))).toBe(WORKER);
    expect(checkIdentity(chain(), state())).toBeUndefined();
    expect(checkIdentity(chain(), state(...both, retired(WORKER)))).toBeUndefined();
  });

  it.each(['agent', 'workload'] as const)('wants an initiating %s to hold the root key, enrolled', (kind) => {
    const by = (id: string, ...events: EventOf<GovernanceEvent>[]) =>
      codeOf(checkIdentity(chain({ id, kind }), state(...events)));
    expect(by(PLANNER, ...both)).toBe(WORKER);
    expect(by(PLANNER)).toBe('identity.mismatch');
    // Not the leaf's holder, not a retired one, not a key that is someone else's now.
    expect(by(WORKER, ...both)).toBe('identity.mismatch');
    expect(by(PLANNER, ...both, retired(PLANNER))).toBe('identity.mismatch');
    expect(by(PLANNER, ...both, retired(PLANNER), enrolled(WORKER, planner))).toBe('identity.mismatch');
  });

  it("takes the issuer's word for a person", () => {
    expect(checkIdentity(chain({ id: 'mailto:a@b.c', kind: 'human' }), state(...both))).toBe(WORKER);
  });
});

describe('checkRevocation', () => {
  const measurement = measurementOf([], 'self', 1);
  const policyDigest = digestOf('policy');
  const check = (governance: GovernanceState, change: Partial<Snapshot> = {}) =>
    codeOf(
      checkRevocation(chain({ id: 'mailto:a@b.c', kind: 'human' }), {
        governance,
        policy: { bundle: { digest: policyDigest } },
        measurement,
        nowSeconds: NOW,
        governanceCheckedAtSeconds: NOW,
        maxStalenessSeconds: 10,
        ...change,
      } as unknown as Snapshot),
    );

  it.each([
    ['token', 'root'],
    ['token', 'leaf'],
    ['holder', planner.thumbprint],
    ['holder', worker.thumbprint],
    ['holder', anchor.thumbprint],
    ['subject', 'mailto:a@b.c'],
    ['subject', PLANNER],
    ['subject', WORKER],
    ['issuer', 'spiffe://d/issuer'],
    ['issuer', anchor.thumbprint],
    ['issuer', planner.thumbprint],
    ['policy', policyDigest],
    ['environment', measurement.digest],
  ] as const)('%s %s', (handle, value) => {
    const who = [enrolled(PLANNER, planner), enrolled(WORKER, worker)];
    expect(check(state(...who))).toBeUndefined();
    expect(check(state(...who, { event: 'revoked', handle, value }))).toBe('revocation.revoked');
    // Stale knowledge does not hide what is known.
    expect(check(state(...who, { event: 'revoked', handle, value }), { governanceCheckedAtSeconds: 0 })).toBe(
      'revocation.revoked',
    );
    // Retiring an agent does not undo its revocation.
    if (handle === 'subject' && value === WORKER) {
      expect(check(state(...who, { event: 'revoked', handle, value }, retired(WORKER)))).toBe(
        'revocation.revoked',
      );
    }
  });

  it.each([
    [NOW - 10, undefined],
    [NOW - 10.001, 'revocation.stale'],
    [NOW + 1, undefined],
    [NOW + 1.001, 'revocation.stale'],
    [Number.NaN, 'revocation.stale'],
    [Number.NEGATIVE_INFINITY, 'revocation.stale'],
  ])('knowledge of second %s at second 1000', (governanceCheckedAtSeconds, code) => {
    expect(check(state(), { governanceCheckedAtSeconds })).toBe(code);
  });

  it('knows no fresh state under a bound that is no number', () => {
    expect(check(state(), { maxStalenessSeconds: Number.NaN })).toBe('revocation.stale');
  });
});
