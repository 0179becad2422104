import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ApiClient, ApiDaemon } from '../../../test/support/api-daemon.ts';
import { SoftwareAuthenticator } from '../../../test/support/software-authenticator.ts';
import { TestApprover } from '../../../test/support/test-approver.ts';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { ApprovalStatement } from '../../governance/index.ts';
import { type ConnectedGovernor, connectGovernor } from '../../governor/index.ts';
import { formatSshArmour } from '../../key/index.ts';
import { SqliteReceiptIndex } from '../../storage/index.ts';
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

type Prepared = Awaited<ReturnType<typeof prepare>>;

const decide = (
  request: string,
  statement: unknown,
  signature: unknown,
  { by = approver, headers = {} }: { by?: ApiClient; headers?: Record<string, string> } = {},
) => answerOf(by.post(`/v1/approvals/${request}/decisions`, { statement, signature }, headers));

const sshOf = (who: TestApprover, { statement }: Pick<Prepared, 'statement'>) => who.sign(statement);

/** An action of an artifact of its own that waits for approval. */
async function asking(path: string, change: Parameters<ApiDaemon['domain']['issue']>[0] = {}) {
  chain = [running.domain.issue(change)];
  const { code, id } = await call({ path });
  expect(code).toBe('approval.required');
  return id;
}

/** What one more consent of somebody else makes of it: nothing, where the attack before it came to nothing. */
async function staysDenied(id: string, path: string, honest = bob): Promise<void> {
  const prepared = await prepare(id, { approver: honest.subject, decision: 'approve' });
  expect((await decide(id, prepared.statement, sshOf(honest, prepared)))[0]).toBe(201);
  const before = ran;
  expect((await call({ path })).code).toBe('approval.required');
  expect(ran).toBe(before);
}

describe('whoever is in the way of approvals', () => {
  const eve = new TestApprover('spiffe://test.local/user/eve');
  const pat = new TestApprover('spiffe://test.local/user/pat');
  beforeAll(async () => {
    for (const { subject, keyText: sshKey } of [eve, pat]) {
      await jsonOf(operator.post('/v1/approvers', { subject, roles: ['operator'], sshKey }), 201);
    }
  });

  test('has no part in it without the role for it, and enrolls nobody with that', async () => {
    const id = await asking('/roles');
    const prepared = await prepare(id, { approver: eve.subject, decision: 'approve' });
    for (const by of [auditor, operator]) {
      const asked = await by.post(`/v1/approvals/${id}/statements`, {
        approver: eve.subject,
        decision: 'approve',
      });
      expect(asked.status).toBe(403);
      expect((await decide(id, prepared.statement, sshOf(eve, prepared), { by }))[0]).toBe(403);
    }
    const { size } = running.daemon.status().governance;
    const [sshKey, roles] = [new TestApprover('urn:x').keyText, ['operator']];
    for (const by of [auditor, approver]) {
      const paths: [string, JsonObject][] = [
        ['/v1/approvers', { subject: 'urn:x', roles, sshKey }],
        ['/v1/approvers/webauthn/options', { subject: 'urn:x', roles }],
        ['/v1/approvers/webauthn', {}],
        ['/v1/approvers/retirements', { subject: bob.subject }],
      ];
      for (const [path, body] of paths) expect((await by.post(path, body)).status, path).toBe(403);
    }
    expect(running.daemon.status().governance.size).toBe(size);
    await staysDenied(id, '/roles');
  });

  test('cannot approve in the name of another', async () => {
    const id = await asking('/names');
    const prepared = await prepare(id, { approver: pat.subject, decision: 'approve' });
    const [status, json] = await decide(id, prepared.statement, sshOf(eve, prepared));
    expect([status, json.code]).toEqual([403, 'identity.proof_invalid']);
    const nobody = { ...prepared.statement, approver: 'spiffe://test.local/user/nobody' };
    expect((await decide(id, nobody, eve.sign(nobody)))[1].code).toBe('identity.mismatch');
    const role = { ...prepared.statement, approver: eve.subject, role: 'security' };
    expect((await decide(id, role, eve.sign(role)))[1].code).toBe('identity.mismatch');
    const asWebAuthn = authenticator.assert({
      challenge: prepared.challenge,
      rpId: 'console.test',
    } as Parameters<SoftwareAuthenticator['assert']>[0]);
    const borrowed = await decide(id, prepared.statement, { kind: 'webauthn', assertion: asWebAuthn });
    expect([borrowed[0], borrowed[1].code]).toEqual([403, 'identity.proof_invalid']);
    await staysDenied(id, '/names');
  });

  test('cannot approve what was asked for in its own name, nor with the token that had it issued', async () => {
    const id = await asking('/own', { writ: { initiator: { id: eve.subject, kind: 'human' } } });
    const asked = { approver: eve.subject, decision: 'approve' };
    const refused = await answerOf(approver.post(`/v1/approvals/${id}/statements`, asked));
    expect(refused[0]).toBe(400);
    const honest = await prepare(id, { approver: pat.subject, decision: 'approve' });
    const own = { ...honest.statement, approver: eve.subject };
    const [status, json] = await decide(id, own, eve.sign(own));
    expect([status, json.code]).toEqual([403, 'identity.mismatch']);
    await staysDenied(id, '/own');

    const by = { writ: { initiator: { id: approver.caller, kind: 'human' } } } as const;
    const carried = await asking('/carried', by);
    const statements = approver.post(`/v1/approvals/${carried}/statements`, { ...asked });
    expect((await answerOf(statements))[1].code).toBe('identity.mismatch');
  });

  test('cannot use a signature for another request, or twice', async () => {
    const first = await asking('/first');
    const prepared = await prepare(first, { approver: eve.subject, decision: 'approve' });
    const signature = sshOf(eve, prepared);
    const other = await asking('/other');
    const [status, json] = await decide(other, prepared.statement, signature);
    expect([status, json.code]).toEqual([403, 'identity.proof_invalid']);
    const target = await prepare(other, { approver: eve.subject, decision: 'approve' });
    for (const moved of [
      { ...prepared.statement, request: other },
      { ...target.statement, nonce: prepared.statement.nonce },
      { ...prepared.statement, ...target.statement, nonce: prepared.statement.nonce, request: other },
    ]) {
      expect((await decide(other, moved, signature))[1].code).toBe('identity.proof_invalid');
    }
    await staysDenied(other, '/other');

    const twice = await asking('/twice');
    const once = await prepare(twice, { approver: eve.subject, decision: 'approve' });
    expect((await decide(twice, once.statement, sshOf(eve, once)))[0]).toBe(201);
    expect((await decide(twice, once.statement, sshOf(eve, once)))[0]).toBe(409);
    const more = await prepare(twice, { approver: eve.subject, decision: 'approve' });
    expect((await decide(twice, more.statement, sshOf(eve, more)))[0]).toBe(201);
    // Two consents of one person are one person.
    expect((await call({ path: '/twice' })).code).toBe('approval.required');
    expect(await jsonOf(auditor.get(`/v1/approvals/${twice}`))).toMatchObject({
      status: 'open',
      missing: [{ role: 'operator', people: 1 }],
    });
  });

  test('cannot change what was said after it was signed', async () => {
    const id = await asking('/said');
    const said = await prepare(id, { approver: eve.subject, decision: 'reject', reason: 'wrong branch' });
    const signature = sshOf(eve, said);
    const { size } = running.daemon.status().governance;
    for (const change of [
      { decision: 'approve' },
      { reason: 'right branch' },
      { exp: said.statement.exp + 60 },
      { nbf: said.statement.nbf - 60 },
      { nonce: 'A'.repeat(22) },
    ]) {
      const [status, json] = await decide(id, { ...said.statement, ...change }, signature);
      expect([status, json.code], JSON.stringify(change)).toEqual([403, 'identity.proof_invalid']);
    }
    const { reason: _reason, ...without } = said.statement;
    expect((await decide(id, without, signature))[0]).toBe(403);
    for (const odd of [{ ...said.statement, more: 1 }, { ...said.statement, decision: 'maybe' }, {}]) {
      expect((await decide(id, odd, signature))[0]).toBe(400);
    }
    expect(running.daemon.status().governance.size).toBe(size);
    await staysDenied(id, '/said');
    // As it was said, it counts, and wins.
    expect(await decide(id, said.statement, signature)).toMatchObject([
      201,
      { status: 'rejected', given: [{}, { approver: eve.subject, reason: 'wrong branch' }] },
    ]);
    expect((await call({ path: '/said' })).code).toBe('approval.rejected');
    const late = approver.post(`/v1/approvals/${id}/statements`, {
      approver: pat.subject,
      decision: 'approve',
    });
    expect((await answerOf(late))[1].code).toBe('approval.rejected');
  });

  test('cannot pass off an assertion of another page or statement', async () => {
    const id = await asking('/pages');
    const first = await prepare(id, { approver: ADA, decision: 'approve' });
    const second = await prepare(id, { approver: ADA, decision: 'approve' });
    if (first.webauthn === null || second.webauthn === null) throw new Error('no credential');
    const attempts = [
      authenticator.assert(second.webauthn),
      authenticator.assert(first.webauthn, { origin: 'https://phish.test' }),
      authenticator.assert(first.webauthn, { flags: 0x01 }),
      new SoftwareAuthenticator(SITE).assert(first.webauthn),
    ];
    for (const assertion of attempts) {
      const [status, json] = await decide(id, first.statement, { kind: 'webauthn', assertion });
      expect([status, json.code]).toEqual([403, 'identity.proof_invalid']);
    }
    await staysDenied(id, '/pages');
  });

  test('cannot end a registration that another began, or the same one twice', async () => {
    const asked = { subject: eve.subject, roles: ['operator'] };
    type Options = Parameters<SoftwareAuthenticator['register']>[0];
    const begin = async (by: ApiClient) => {
      const begun = await jsonOf(by.post('/v1/approvers/webauthn/options', asked));
      return { registration: begun.registration, options: begun.options as unknown as Options };
    };
    const end = (by: ApiClient, registration: unknown, credential: unknown) =>
      by.post('/v1/approvers/webauthn', { registration, credential });
    const other = await running.client('operator', 'other');
    const mine = new SoftwareAuthenticator(SITE);
    const { size } = running.daemon.status().governance;
    const begun = await begin(operator);
    expect((await end(other, begun.registration, mine.register(begun.options))).status).toBe(404);
    // A credential that was made for another registration, on another page, or that is enrolled.
    const elsewhere = await begin(other);
    expect((await end(operator, begun.registration, mine.register(elsewhere.options))).status).toBe(403);
    expect((await end(operator, begun.registration, mine.register(begun.options))).status).toBe(404);
    const phished = await begin(operator);
    const page = new SoftwareAuthenticator('https://phish.test').register(phished.options);
    expect((await end(operator, phished.registration, page)).status).toBe(403);
    const stolen = await begin(operator);
    const taken = await end(operator, stolen.registration, authenticator.register(stolen.options));
    expect(taken.status).toBe(409);
    expect(running.daemon.status().governance.size).toBe(size);
  });
});

describe('as a resource', () => {
  test('gateways are told where it is, for the clients that they send there', () => {
    expect(point.approvalsUrl).toBe(SITE);
  });

  test('what is done is done once for one Idempotency-Key, and has its caller as actor', async () => {
    const id = await asking('/key');
    const prepared = await prepare(id, { approver: bob.subject, decision: 'approve' });
    const headers = { 'idempotency-key': 'k1' };
    const first = await decide(id, prepared.statement, sshOf(bob, prepared), { headers });
    const { size } = running.daemon.status().governance;
    expect(await decide(id, prepared.statement, sshOf(bob, prepared), { headers })).toEqual(first);
    expect(first[0]).toBe(201);
    expect(running.daemon.status().governance.size).toBe(size);
    const { events } = await jsonOf(auditor.get(`/v1/governance/events?after=${size - 1}`));
    expect(events).toMatchObject([{ event: { event: 'approval.given', actor: approver.caller } }]);
  });

  test('it is listed page by page, has an ETag, and is where people are sent', async () => {
    const ids = [await asking('/a'), await asking('/b'), await asking('/c')];
    // The daemon of this test runs in this very thread, and so would whatever it does on its own.
    const caughtUp = vi.spyOn(SqliteReceiptIndex.prototype, 'catchUp');
    const page = await jsonOf(auditor.get('/v1/approvals?status=open&limit=2'));
    expect(page).toMatchObject({ approvals: [{ id: ids[2] }, { id: ids[1] }], next: ids[1] });
    expect(caughtUp).not.toHaveBeenCalled();
    caughtUp.mockRestore();
    // What is asked meanwhile moves nothing.
    await asking('/d');
    const rest = await jsonOf(auditor.get(`/v1/approvals?status=open&limit=1&after=${ids[1]}`));
    expect(rest).toMatchObject({ approvals: [{ id: ids[0] }] });
    const none = await jsonOf(auditor.get('/v1/approvals?tool=mcp://fs/tools/none'));
    expect(none).toEqual({ approvals: [], next: null });
    for (const query of ['status=any', 'after=x', 'limit=0', 'state=open']) {
      expect((await auditor.get(`/v1/approvals?${query}`)).status, query).toBe(400);
    }
    const answer = await auditor.get(`/v1/approvals/${ids[0]}`);
    const etag = answer.headers.get('etag') ?? '';
    expect((await auditor.get(`/v1/approvals/${ids[0]}`, { 'if-none-match': etag })).status).toBe(304);
    for (const id of ['nope', '..%2f..%2fdomain.json', ids[0]?.replace(/.$/, '0')]) {
      if (id !== ids[0]) expect((await auditor.get(`/v1/approvals/${id}`)).status, id).toBe(404);
    }
    const page303 = await fetch(new URL(`/approvals/${ids[0]}`, running.url), { redirect: 'manual' });
    expect([page303.status, page303.headers.get('location')]).toEqual([303, `../v1/approvals/${ids[0]}`]);
    expect((await fetch(new URL('/approvals/x', running.url))).status).toBe(404);
    const followed = await auditor.get(`/approvals/${ids[0]}`);
    expect([followed.status, followed.url]).toEqual([200, `${running.url}/v1/approvals/${ids[0]}`]);
  });

  test('a consent goes with the key it was given with', async () => {
    const id = await asking('/retired');
    const leaver = new TestApprover('spiffe://test.local/user/leaver');
    const enrolled = { subject: leaver.subject, roles: ['operator'], sshKey: leaver.keyText };
    await jsonOf(operator.post('/v1/approvers', enrolled), 201);
    for (const one of [leaver, bob]) {
      const prepared = await prepare(id, { approver: one.subject, decision: 'approve' });
      expect((await decide(id, prepared.statement, sshOf(one, prepared)))[0]).toBe(201);
    }
    await jsonOf(operator.post('/v1/approvers/retirements', { subject: leaver.subject }), 201);
    expect((await call({ path: '/retired' })).code).toBe('approval.required');
    const { approvers } = await jsonOf(auditor.get('/v1/approvers'));
    expect(approvers).toMatchObject([
      { subject: ADA, keys: [{ kind: 'webauthn', roles: ['operator'], origin: SITE }] },
      { subject: bob.subject, keys: [{ kind: 'ssh' }] },
      {},
      {},
      { subject: leaver.subject, keys: [] },
    ]);
  });
});
