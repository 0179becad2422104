import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiClient, ApiDaemon } from '../../../test/support/api-daemon.ts';
import { SoftwareAuthenticator } from '../../../test/support/software-authenticator.ts';
import { TestApprover } from '../../../test/support/test-approver.ts';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { ApprovalStatement } from '../../governance/index.ts';
import { type ConnectedGovernor, connectGovernor } from '../../governor/index.ts';
import { formatSshArmour } from '../../key/index.ts';
import { DEFAULT_CONFIG } from '../config/index.ts';

const POLICY = `
permit (principal, action in Writ::Action::"read", resource);
@approval("operator:2") permit (principal, action in Writ::Action::"write", resource);
`;
const SITE = 'https://console.test';
const ADA = 'spiffe://test.local/user/ada';

let running: ApiDaemon;
let point: ConnectedGovernor;
let operator: ApiClient;
let approver: ApiClient;
let auditor: ApiClient;
const authenticator = new SoftwareAuthenticator(SITE);
const bob = new TestApprover('spiffe://test.local/user/bob');
let chain: readonly string[] = [];
let ran = 0;

beforeAll(async () => {
  const approvals = { ...DEFAULT_CONFIG.approvals, consoleUrl: `${SITE}/` };
  running = await ApiDaemon.start({ approvals }, undefined, { policy: POLICY });
  const connected = await connectGovernor({ home: running.domain.home, name: 'fs', components: [] });
  if (connected === undefined || isDenial(connected)) throw new Error('no daemon');
  point = connected;
  [operator, approver, auditor] = await Promise.all([
    running.client('operator'),
    running.client('approver'),
    running.client('auditor'),
  ]);
});
afterAll(async () => {
  await point.close();
  await running.close();
});

/** Calls as the worker: the code, or `permit` where it ran. */
async function call(args: JsonObject): Promise<{ code: string; id: string }> {
  const before = ran;
  const { domain } = running;
  const action = domain.call(chain, { audience: point.audience, args });
  const done = await point.governor.run(action, async () => {
    ran += 1;
    return { status: 'succeeded', value: 1 } as const;
  });
  const code = done.verdict === 'permit' ? 'permit' : done.denial.code;
  expect(ran - before).toBe(code === 'permit' ? 1 : 0);
  return { code, id: done.executionId };
}

async function answerOf(response: Response | Promise<Response>): Promise<[number, JsonObject]> {
  const answer = await response;
  const json: unknown = await answer.json();
  if (!isJsonObject(json)) throw new Error('no object');
  return [answer.status, json];
}

async function jsonOf(response: Response | Promise<Response>, expected = 200): Promise<JsonObject> {
  const [status, json] = await answerOf(response);
  if (status !== expected) throw new Error(`${status}: ${JSON.stringify(json)}`);
  return json;
}

async function prepare(request: string, asked: JsonObject) {
  const json = await jsonOf(approver.post(`/v1/approvals/${request}/statements`, asked));
  return json as unknown as {
    statement: ApprovalStatement;
    text: string;
    challenge: string;
    webauthn: Parameters<SoftwareAuthenticator['assert']>[0] | null;
  };
}

describe('an action that two must approve, one with WebAuthn and one with SSH', () => {
  test('over HTTP alone: enrolled, asked, shown, granted twice, run once, denied again', async () => {
    const begun = await jsonOf(
      operator.post('/v1/approvers/webauthn/options', { subject: ADA, roles: ['operator'] }),
    );
    const credential = authenticator.register(
      begun.options as unknown as Parameters<SoftwareAuthenticator['register']>[0],
    );
    const ended = { registration: begun.registration, credential };
    expect(await jsonOf(operator.post('/v1/approvers/webauthn', ended), 201)).toMatchObject({
      subject: ADA,
      roles: ['operator'],
      thumbprint: expect.stringMatching(/^[\w-]{43}$/),
    });
    const enrolled = { subject: bob.subject, roles: ['operator'], sshKey: `${bob.keyText} bob@laptop` };
    await jsonOf(operator.post('/v1/approvers', enrolled), 201);

    chain = [running.domain.issue()];
    const args = { path: '/once', content: 'x' };
    const asked = await call(args);
    expect(asked.code).toBe('approval.required');
    const { approvals } = await jsonOf(auditor.get('/v1/approvals?status=open'));
    expect(approvals).toMatchObject([{ id: asked.id, status: 'open', given: [] }]);
    const shown = await jsonOf(auditor.get(`/v1/approvals/${asked.id}`));
    expect(shown).toMatchObject({
      action: { kind: 'whole', args },
      required: [{ role: 'operator', threshold: 2 }],
      missing: [{ role: 'operator', people: 2 }],
    });

    const first = await prepare(asked.id, { approver: ADA, decision: 'approve', reason: 'looks right' });
    if (first.webauthn === null) throw new Error('no credential');
    const assertion = authenticator.assert(first.webauthn);
    const half = await jsonOf(
      approver.post(`/v1/approvals/${asked.id}/decisions`, {
        statement: first.statement,
        signature: { kind: 'webauthn', assertion },
      }),
      201,
    );
    expect(half).toMatchObject({
      status: 'open',
      missing: [{ role: 'operator', people: 1 }],
      given: [{ approver: ADA, decision: 'approve', reason: 'looks right' }],
    });
    expect((await call(args)).code).toBe('approval.required');

    const second = await prepare(asked.id, { approver: bob.subject, decision: 'approve' });
    const signed = bob.sign(second.statement);
    if (signed.kind !== 'ssh') throw new Error('no SSH');
    const armoured = formatSshArmour(Buffer.from(signed.signature, 'base64url'));
    const whole = await jsonOf(
      approver.post(`/v1/approvals/${asked.id}/decisions`, {
        statement: second.statement,
        signature: { kind: 'ssh', signature: armoured },
      }),
      201,
    );
    expect(whole).toMatchObject({ status: 'approved', missing: [] });

    expect((await call(args)).code).toBe('permit');
    expect((await call(args)).code).toBe('approval.required');
    expect(ran).toBe(1);
    expect(await jsonOf(auditor.get(`/v1/approvals/${asked.id}`))).toMatchObject({ status: 'used' });
  });
});
