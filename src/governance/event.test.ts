import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalize, type JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import {
  GOVERNANCE_EVENT,
  type GovernanceEvent,
  parseGovernanceEvent,
  serializeGovernanceEvent,
} from './event.ts';
import { recordedTpm } from './recorded-tpm.test-support.ts';

const { publicKey } = SigningKey.fromSeed(new Uint8Array(32).fill(7));
const common = {
  type: GOVERNANCE_EVENT,
  at: 1_700_000_000,
  actor: 'spiffe://example.test/operator/ada',
} as const;
const digest = `sha256:${'0a'.repeat(32)}` as const;
const iss = 'spiffe://example.test/issuer';

const execution = '019ac1de-0000-7000-8000-000000000000';

const approver = 'spiffe://example.test/user/ada';
const sshKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs';
const nonce = 'AAAAAAAAAAAAAAAAAAAAAA';
const statement = {
  type: 'writ/approval@v1',
  trustDomain: 'example.test',
  request: execution,
  actionDigest: `salted-sha256:${'0b'.repeat(32)}`,
  artifactDigest: digest,
  policyDigest: digest,
  approver,
  role: 'operator',
  decision: 'approve',
  nbf: 1_700_000_000,
  exp: 1_700_000_900,
  nonce,
} as const;
const sshSigned = { kind: 'ssh', signature: 'U1NIU0lH' } as const;
const credential = {
  kind: 'webauthn',
  credentialId: 'AQID',
  jwk: publicKey.jwk,
  rpId: 'example.test',
  origin: 'https://example.test:8443',
} as const;
const asserted = {
  kind: 'webauthn',
  credentialId: 'AQID',
  authenticatorData: 'AQID',
  clientDataJSON: 'AQID',
  signature: 'AQID',
} as const;
const review = {
  type: 'writ/approval-review@v1',
  trustDomain: 'example.test',
  nonce,
  reviewer: approver,
  finding: 'justified',
  at: 1_700_000_000,
} as const;
const enrolled = { ...common, event: 'approver.enrolled', subject: approver, roles: ['operator'] } as const;
const given = { ...common, event: 'approval.given', statement, signature: sshSigned } as const;

const EVENTS: readonly GovernanceEvent[] = [
  { ...common, event: 'domain.created', name: 'example.test' },
  { ...common, event: 'anchor.added', iss, jwk: publicKey.jwk },
  { ...common, event: 'anchor.retired', iss, thumbprint: publicKey.thumbprint },
  { ...common, event: 'agent.enrolled', subject: 'spiffe://example.test/agent/a', jwk: publicKey.jwk },
  { ...common, event: 'agent.retired', subject: 'spiffe://example.test/agent/a' },
  {
    ...common,
    event: 'agent.retired',
    subject: 'spiffe://example.test/agent/a',
    thumbprint: publicKey.thumbprint,
  },
  {
    ...common,
    event: 'log.enrolled',
    origin: 'example.test/execution/fs',
    vkey: `example.test/execution/fs+0a1b2c3d+${Buffer.alloc(33, 1).toString('base64')}`,
  },
  { ...common, event: 'policy.published', id: 'files', digest },
  {
    ...common,
    event: 'environment.enrolled',
    name: 'build-host',
    digest,
    components: [{ kind: 'node', name: 'v24.21.0', digest }],
    tpm: recordedTpm,
  },
  { ...common, event: 'environment.enrolled', name: 'laptop', digest, components: [] },
  { ...common, event: 'environment.retired', name: 'laptop' },
  {
    ...common,
    event: 'caller.admitted',
    caller: 'spiffe://example.test/caller/ci',
    role: 'auditor',
    hash: publicKey.thumbprint,
    exp: 1_700_003_600,
  },
  { ...common, event: 'caller.dismissed', caller: 'spiffe://example.test/caller/ci' },
  {
    ...common,
    event: 'caller.dismissed',
    caller: 'spiffe://example.test/caller/ci',
    hash: publicKey.thumbprint,
  },
  {
    ...common,
    event: 'artifact.issued',
    jti: '018f3a5e',
    hash: publicKey.thumbprint,
    iss,
    holder: publicKey.thumbprint,
    initiator: 'mailto:ada@example.test',
    exp: 1_700_003_600,
  },
  { ...common, event: 'revoked', handle: 'token', value: '018f3a5e', reason: 'laptop stolen' },
  { ...common, event: 'revoked', handle: 'holder', value: publicKey.thumbprint },
  { ...common, event: 'revoked', handle: 'subject', value: 'spiffe://example.test/agent/a' },
  { ...common, event: 'revoked', handle: 'issuer', value: iss },
  { ...common, event: 'revoked', handle: 'issuer', value: publicKey.thumbprint },
  { ...common, event: 'revoked', handle: 'policy', value: digest },
  { ...common, event: 'revoked', handle: 'environment', value: digest },
  { ...common, event: 'evidence.erased', log: 'd/execution/fs', executions: [execution], reason: 'asked to' },
  { ...common, event: 'evidence.erased', log: 'd/execution/fs', beforeIndex: 7, reason: 'too old' },
  { ...enrolled, key: { kind: 'ssh', key: sshKey } },
  { ...enrolled, roles: ['a', 'break-glass'], key: credential },
  { ...common, event: 'approver.retired', subject: approver },
  { ...common, event: 'approver.retired', subject: approver, thumbprint: publicKey.thumbprint },
  given,
  { ...given, statement: { ...statement, decision: 'reject', reason: 'no' }, signature: asserted },
  { ...common, event: 'approval.reviewed', statement: review, signature: sshSigned },
];

test.each(EVENTS)('$event is read back as it was written', (event) => {
  const entry = serializeGovernanceEvent(event);
  expect(parseGovernanceEvent(entry)).toEqual(event);
});

test.each(EVENTS)('$event with a member more or a member less is refused', (event) => {
  const json = event as unknown as JsonObject;
  const variants: JsonObject[] = [{ ...json, unless: 'never' }];
  for (const name of Object.keys(json)) {
    const { [name]: _, ...rest } = json;
    // Without its optional members an event is another valid one.
    if (event.event !== 'evidence.erased' && ['reason', 'initiator', 'thumbprint', 'tpm'].includes(name))
      continue;
    if (event.event === 'caller.admitted' ? name === 'exp' : 'caller' in event && name === 'hash') continue;
    variants.push(rest);
  }
  for (const variant of variants) expect(refusalOf(entryOf(variant))).toBe('revocation.stale');
});

const [, anchorAdded] = EVENTS;
const REFUSED: readonly [string, JsonObject][] = [
  ['an unknown event', { ...common, event: 'anchor.trusted', iss }],
  ['another version', { ...common, event: 'domain.created', name: 'a', type: 'writ/governance@v2' }],
  ['a private key', { ...common, event: 'anchor.added', iss, jwk: { ...publicKey.jwk, d: publicKey.jwk.x } }],
  ['a key with more members', { ...common, event: 'anchor.added', iss, jwk: { ...publicKey.jwk, kid: 'a' } }],
  [
    'the identity point',
    { ...common, event: 'anchor.added', iss, jwk: { ...publicKey.jwk, x: `AQ${'A'.repeat(41)}` } },
  ],
  [
    'a key that is not canonical base64url',
    {
      ...common,
      event: 'anchor.added',
      iss,
      jwk: { ...publicKey.jwk, x: `${publicKey.jwk.x.slice(0, 42)}_` },
    },
  ],
  [
    'an issuer without a scheme',
    { ...common, event: 'anchor.retired', iss: 'x', thumbprint: publicKey.thumbprint },
  ],
  ['a subject with a space', { ...common, event: 'agent.retired', subject: 'spiffe://example.test/agent a' }],
  [
    'a subject with a line break',
    { ...common, event: 'agent.retired', subject: 'spiffe://example.test/a\n' },
  ],
  ['a subject of 2,049 characters', { ...common, event: 'agent.retired', subject: `a:${'b'.repeat(2047)}` }],
  ['an actor of two lines', { ...common, event: 'domain.created', name: 'a', actor: 'ada\nroot' }],
  [
    'an actor with a bidi override',
    { ...common, event: 'domain.created', name: 'a', actor: 'ada\u202etoor' },
  ],
  ['an actor without end', { ...common, event: 'domain.created', name: 'a', actor: 'a'.repeat(257) }],
  ['no actor', { ...common, event: 'domain.created', name: 'a', actor: '' }],
  ['a time before 1970', { ...common, event: 'domain.created', name: 'a', at: -1 }],
  ['a time in fractions', { ...common, event: 'domain.created', name: 'a', at: 1.5 }],
  ['a domain with a slash', { ...common, event: 'domain.created', name: 'a/b' }],
  ['a digest in capitals', { ...common, event: 'policy.published', id: 'a', digest: digest.toUpperCase() }],
  ['an unknown handle', { ...common, event: 'revoked', handle: 'world', value: 'a' }],
  ['a handle of the prototype', { ...common, event: 'revoked', handle: 'constructor', value: 'a' }],
  ['a holder that is no thumbprint', { ...common, event: 'revoked', handle: 'holder', value: 'a' }],
  ['a policy that is no digest', { ...common, event: 'revoked', handle: 'policy', value: 'files' }],
  ['an empty token id', { ...common, event: 'revoked', handle: 'token', value: '' }],
  ['an erasure of nothing', { ...common, event: 'evidence.erased', log: 'a', executions: [], reason: 'x' }],
  [
    'an erasure of this and that',
    { ...common, event: 'evidence.erased', log: 'a', executions: [execution], beforeIndex: 1, reason: 'x' },
  ],
  [
    'an erasure of what is no execution',
    { ...common, event: 'evidence.erased', log: 'a', executions: ['/secret'], reason: 'x' },
  ],
  ['an approver without a role', { ...enrolled, roles: [], key: { kind: 'ssh', key: sshKey } }],
  ['an approver in one role twice', { ...enrolled, roles: ['a', 'a'], key: { kind: 'ssh', key: sshKey } }],
  [
    'an SSH key with a comment',
    { ...enrolled, roles: ['a'], key: { kind: 'ssh', key: `${sshKey} ada@home` } },
  ],
  ['a DSA key', { ...enrolled, roles: ['a'], key: { kind: 'ssh', key: 'ssh-dss AAAA' } }],
  [
    'an origin with a path',
    {
      ...enrolled,
      roles: ['a'],
      key: { ...credential, jwk: { ...publicKey.jwk }, origin: 'https://a.test/x' },
    },
  ],
  ['an approval that says more', { ...given, statement: { ...statement, unless: 'x' } }],
  ['an approval without a nonce', { ...given, statement: { ...statement, nonce: '' } }],
  ['an approval of a plain digest', { ...given, statement: { ...statement, actionDigest: digest } }],
  ['an approval that abstains', { ...given, statement: { ...statement, decision: 'abstain' } }],
  ['a signature of an unknown kind', { ...given, signature: { kind: 'pgp', signature: 'AQID' } }],
  ['a review as an approval', { ...given, statement: review }],
  ['a vkey of two lines', { ...common, event: 'log.enrolled', origin: 'a', vkey: 'a+0a1b2c3d+AAAA\nb' }],
];

test.each(REFUSED)('%s is refused', (_name, json) => {
  expect(refusalOf(entryOf(json))).toBe('revocation.stale');
  expect(() => serializeGovernanceEvent(json as unknown as GovernanceEvent)).toThrow(TypeError);
});

test.each([
  ['spaces', (text: string) => text.replace('{', '{ ')],
  ['another order of members', (text: string) => text.replace(/^\{("actor":"[^"]*"),(.*)\}$/, '{$2,$1}')],
  ['an escape that need not be', (text: string) => text.replace('anchor.added', '\\u0061nchor.added')],
  ['a duplicate member', (text: string) => text.replace('{', '{"at":1,')],
  ['a byte order mark', (text: string) => `\ufeff${text}`],
  ['a second event behind it', (text: string) => text + text],
])('an entry with %s is refused: one event, one spelling', (_name, change) => {
  const text = canonicalize(anchorAdded as unknown as JsonObject);
  expect(isDenial(parseGovernanceEvent(Buffer.from(text)))).toBe(false);
  expect(change(text)).not.toBe(text);
  expect(refusalOf(Buffer.from(change(text)))).toBe('revocation.stale');
});

test('a denial tells where, not what', () => {
  const denial = parseGovernanceEvent(
    entryOf({ ...common, event: 'policy.published', id: 'files', digest: 'hunter2' }),
  );
  expect(denial).toMatchObject({ code: 'revocation.stale', detail: 'governance event: digest: malformed' });
});

test('hostile entries are refused or are the very bytes of an event; the parser never throws', () => {
  const mutated = fc
    .record({
      event: fc.constantFrom(...EVENTS),
      member: fc.constantFrom(
        'type',
        'event',
        'at',
        'actor',
        'iss',
        'jwk',
        'subject',
        'value',
        'handle',
        'x',
        '__proto__',
      ),
      value: fc.oneof(
        fc.jsonValue(),
        fc.string({ unit: 'binary' }),
        fc.constantFrom(...EVENTS.map(({ event }) => event)),
      ),
    })
    .map(({ event, member, value }) =>
      Buffer.from(
        JSON.stringify(event).replace(/\}$/, `,${JSON.stringify(member)}:${JSON.stringify(value)}}`),
      ),
    );
  const replaced = fc
    .record({ event: fc.constantFrom(...EVENTS), pick: fc.nat(), value: fc.jsonValue() })
    .map(({ event, pick, value }) => {
      const names = Object.keys(event);
      return Buffer.from(JSON.stringify({ ...event, [names[pick % names.length] ?? 'at']: value }));
    });
  const flipped = fc
    .record({ event: fc.constantFrom(...EVENTS), at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
    .map(({ event, at, byte }) => {
      const entry = Buffer.from(serializeGovernanceEvent(event));
      entry[at % entry.length] = byte;
      return entry;
    });
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    mutated,
    replaced,
    flipped,
    fc.json().map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(hostile, (entry) => {
      const event = parseGovernanceEvent(entry);
      if (isDenial(event)) expect(event.code).toBe('revocation.stale');
      else expect(Buffer.from(serializeGovernanceEvent(event)).equals(Buffer.from(entry))).toBe(true);
    }),
    { numRuns: 10_000 },
  );
});

test('the published schema agrees with the parser', () => {
  const schema: unknown = JSON.parse(
    readFileSync(new URL('../../spec/governance.schema.json', import.meta.url), 'utf8'),
  );
  const validate = new Ajv2020({ strict: true }).compile(schema as Record<string, unknown>);
  for (const event of EVENTS) {
    expect(validate(event)).toBe(true);
    expect(validate({ ...event, unless: 'never' })).toBe(false);
  }
  for (const [name, json] of REFUSED) {
    // Which points are safe is beyond a schema.
    expect([name, validate(json)]).toEqual([name, name === 'the identity point']);
  }
});

function entryOf(json: JsonObject): Uint8Array {
  return Buffer.from(canonicalize(json));
}

function refusalOf(entry: Uint8Array): string {
  const event = parseGovernanceEvent(entry);
  return isDenial(event) ? event.code : `accepted ${event.event}`;
}
