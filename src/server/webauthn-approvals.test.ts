import { describe, expect, it } from 'vitest';
import { SoftwareAuthenticator } from '../../test/support/software-authenticator.ts';
import { must } from '../../test/support/trust-domain.ts';
import { digestOf } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  type ApprovalStatement,
  GOVERNANCE_EVENT,
  GovernanceState,
  type StatementSignature,
} from '../governance/index.ts';
import type { RelyingParty } from './config/index.ts';
import {
  assertionOptions,
  registrationOptions,
  verifyAssertion,
  verifyRegistration,
} from './webauthn-approvals.ts';

const site: RelyingParty = { rpId: 'console.test', name: 'Writ', origin: 'https://console.test' };
const subject = 'spiffe://test.local/user/ada';
const AT = 1_700_000_000;
const statement: ApprovalStatement = {
  type: 'writ/approval@v1',
  trustDomain: 'test.local',
  // Made at that time.
  request: '018bcfe5-6800-7000-8000-000000000000',
  actionDigest: `salted-sha256:${'0a'.repeat(32)}`,
  artifactDigest: digestOf('artifact'),
  policyDigest: digestOf('policy'),
  approver: subject,
  role: 'operator',
  decision: 'approve',
  nbf: AT,
  exp: AT + 900,
  nonce: 'AAAAAAAAAAAAAAAAAAAAAA',
};

async function register(authenticator: SoftwareAuthenticator) {
  const options = await registrationOptions(site, { subject, known: [] });
  return { options, key: await verifyRegistration(site, authenticator.register(options), options.challenge) };
}

/** What the governance log makes of it: who approved the action. */
function folded(
  key: Awaited<ReturnType<typeof register>>['key'],
  signature: StatementSignature,
  said = statement,
) {
  const common = { type: GOVERNANCE_EVENT, at: AT, actor: 'test' } as const;
  return GovernanceState.empty
    .apply({ ...common, event: 'domain.created', name: 'test.local' })
    .apply({ ...common, event: 'approver.enrolled', subject, roles: ['operator'], key: must(key) })
    .apply({ ...common, event: 'approval.given', statement: said, signature })
    .approvalsOf(said.actionDigest)
    .map(({ statement: { approver } }) => approver);
}

describe('approvals by WebAuthn', () => {
  it.each(['P-256', 'Ed25519', 'RSA'] as const)(
    'a %s credential signs a statement, and the fold counts it',
    async (kind) => {
      const authenticator = new SoftwareAuthenticator(site.origin, kind);
      const { key } = await register(authenticator);
      expect(key).toMatchObject({ kind: 'webauthn', credentialId: authenticator.id, origin: site.origin });
      const options = await assertionOptions(statement, [must(key)]);
      expect(options).toMatchObject({ rpId: site.rpId, userVerification: 'required' });
      const signature = must(await verifyAssertion(statement, authenticator.assert(options), [must(key)]));
      expect(folded(key, signature)).toEqual([subject]);
      // Bound to what was signed: another statement under the same assertion counts for nothing.
      const other = { ...statement, actionDigest: `salted-sha256:${'0b'.repeat(32)}` } as const;
      expect(folded(key, signature, other)).toEqual([]);
    },
  );

  it.each<[string, Parameters<SoftwareAuthenticator['assert']>[1]]>([
    ['another origin', { origin: 'https://phish.test' }],
    ['another relying party', { rpId: 'phish.test' }],
    ['nobody verified', { flags: 0x01 }],
    ['nobody present', { flags: 0x04 }],
    ['a registration', { type: 'webauthn.create' }],
  ])('is refused, here and by the fold: %s', async (_name, change) => {
    const authenticator = new SoftwareAuthenticator(site.origin);
    const { key } = await register(authenticator);
    const options = await assertionOptions(statement, [must(key)]);
    const response = authenticator.assert(options, change);
    expect(isDenial(await verifyAssertion(statement, response, [must(key)]))).toBe(true);
    const { authenticatorData, clientDataJSON, signature } = response.response;
    const parts = { credentialId: authenticator.id, authenticatorData, clientDataJSON, signature };
    expect(folded(key, { kind: 'webauthn', ...parts })).toEqual([]);
  });

  it('is refused for another statement, another credential, or a registration of another challenge', async () => {
    const authenticator = new SoftwareAuthenticator(site.origin);
    const { key, options: registration } = await register(authenticator);
    const options = await assertionOptions({ ...statement, exp: AT + 800 }, [must(key)]);
    expect(isDenial(await verifyAssertion(statement, authenticator.assert(options), [must(key)]))).toBe(true);
    const twin = new SoftwareAuthenticator(site.origin);
    const right = await assertionOptions(statement, [must(key)]);
    expect(isDenial(await verifyAssertion(statement, twin.assert(right), [must(key)]))).toBe(true);
    const replayed = authenticator.register(registration);
    expect(isDenial(await verifyRegistration(site, replayed, 'another challenge'))).toBe(true);
    const elsewhere = { ...site, origin: 'https://other.test' };
    expect(isDenial(await verifyRegistration(elsewhere, replayed, registration.challenge))).toBe(true);
  });
});
