import { expect, test } from 'vitest';
import { canonicalize, type JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import type { TpmRecord } from '../environment/index.ts';
import {
  GOVERNANCE_EVENT,
  type GovernanceEvent,
  parseGovernanceEvent,
  serializeGovernanceEvent,
} from './event.ts';
import { foldGovernance } from './fold.ts';
import { recordedTpm } from './recorded-tpm.test-support.ts';
import type { GovernanceState } from './state.ts';

const common = { type: GOVERNANCE_EVENT, at: 1_700_000_000, actor: 'operator' } as const;
const digest = `sha256:${'0a'.repeat(32)}` as const;
const other = `sha256:${'0b'.repeat(32)}` as const;
const domain = (name: string): GovernanceEvent => ({ ...common, event: 'domain.created', name });
const enrolled = (tpm?: TpmRecord, of: typeof digest | typeof other = digest): GovernanceEvent => ({
  ...{ ...common, event: 'environment.enrolled', name: 'host', digest: of, components: [] },
  ...(tpm === undefined ? {} : { tpm }),
});
const retired: GovernanceEvent = { ...common, event: 'environment.retired', name: 'host' };

function stateOf(...events: GovernanceEvent[]): GovernanceState {
  const state = foldGovernance(events.map(serializeGovernanceEvent));
  if (isDenial(state)) throw new Error(state.detail);
  return state;
}

test('an environment is known by its name until it is retired; enrolling again replaces it', () => {
  expect(stateOf(enrolled()).environmentByName('host')).toMatchObject({ digest, isRetired: false });
  const replaced = stateOf(enrolled(recordedTpm), enrolled(undefined, other));
  expect(replaced.environmentByName('host')).toMatchObject({ digest: other });
  expect(replaced.environmentByName('host')?.attester).toBeUndefined();
  expect(stateOf(enrolled(recordedTpm), retired).environmentByName('host')).toBeUndefined();
  expect(stateOf(enrolled(), retired, enrolled()).environmentByName('host')).toBeDefined();
  expect(stateOf().findConflict(retired)).toMatch(/no such environment/);
  expect(stateOf(enrolled(), retired).findConflict(retired)).toMatch(/no such environment/);
});

test('a TPM that is enrolled is read once, and stays the same while nothing about it changes', () => {
  const state = stateOf(enrolled(recordedTpm));
  const { attester } = state.environmentByName('host') ?? {};
  expect(attester).toMatchObject({ boot: 'exact', maxAgeSeconds: 300, key: { scheme: 'ecdsa' } });
  expect(state.apply(domain('a.test')).environmentByName('host')?.attester).toBe(attester);
});

test.each([
  ['lab.test', true],
  ['test', true],
  ['a.b.localhost', true],
  ['lab.example', true],
  ['bank.local', false],
  ['test.bank.org', false],
  ['latest', false],
  ['notexample', false],
])('a simulated TPM in the domain %s counts: %s', (name, counts) => {
  const simulator = enrolled({ ...recordedTpm, simulator: true });
  expect(stateOf(domain(name)).findConflict(simulator) === undefined).toBe(counts);
  expect(stateOf(domain(name), simulator).environmentByName('host') !== undefined).toBe(counts);
});

test('a simulated TPM counts nowhere before the domain has a name', () => {
  expect(stateOf(enrolled({ ...recordedTpm, simulator: true })).environmentByName('host')).toBeUndefined();
});

test.each<[string, JsonObject]>([
  ['a name that is none', { name: '../host' }],
  ['a component that says more', { components: [{ kind: 'node', name: 'v24', digest, at: 1 }] }],
  [
    'a PCR that anybody can reset',
    { tpm: { ...recordedTpm, pcrs: [{ index: 16, digest: '00'.repeat(32) }] } as never },
  ],
  ['no PCR', { tpm: { ...recordedTpm, pcrs: [] } as never }],
  ['a key that is none', { tpm: { ...recordedTpm, key: 'AAAA' } as never }],
  ['quotes that count for ever', { tpm: { ...recordedTpm, maxAgeSeconds: 86_401 } as never }],
  ['a TPM that says more', { tpm: { ...recordedTpm, unless: true } as never }],
  ['a simulator that is not one', { tpm: { ...recordedTpm, simulator: false } as never }],
])('%s is refused, and leaves no state', (_name, change) => {
  const json = { ...JSON.parse(Buffer.from(serializeGovernanceEvent(enrolled())).toString()), ...change };
  const event = parseGovernanceEvent(Buffer.from(canonicalize(json)));
  expect(event).toMatchObject({ code: 'revocation.stale' });
});
