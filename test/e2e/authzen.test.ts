import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProof } from '../../src/artifact/index.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../../src/codec/index.ts';
import { callOfEvaluation, type Evaluation, parseEvaluation } from '../../src/enforce/http/index.ts';
import { type ExecutionRecord, publishPolicy, readExecution } from '../../src/governor/index.ts';
import type { Daemon } from '../../src/server/daemon/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { HttpClient, type Reply, startDaemon } from '../support/daemon-client.ts';
import { TODO_TOOLS, todoBundle, todoCases } from '../support/todo-scenario.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';

let domain: TestDomain;
let daemon: Daemon;
let client: HttpClient;
let token: string;

beforeAll(async () => {
  domain = await TestDomain.create();
  must(await publishPolicy(domain.home, todoBundle(), { actor: 'test', atSeconds: nowSeconds() }));
  daemon = await startDaemon(domain.home);
  client = new HttpClient(daemon.socketPath);
  token = domain.issue({
    tools: Object.fromEntries(TODO_TOOLS.map(({ id }) => [id, {}])),
    audiences: [domain.home.audience('authzen')],
  });
});

afterAll(async () => {
  client?.close();
  await daemon?.close();
  domain?.dispose();
});

/** The presenter: signs the very request, and puts the presentation into its context. */
function presented(
  request: JsonObject,
  signedFor: JsonObject = request,
): JsonObject & { context: JsonObject } {
  const evaluation = must<Evaluation | ReturnType<typeof parseEvaluation>>(parseEvaluation(signedFor));
  const proof = createProof({
    leaf: token,
    signer: domain.agent,
    ...callOfEvaluation(evaluation),
    iatSeconds: nowSeconds(),
    audience: domain.home.audience('authzen'),
  });
  const context = isJsonObject(request.context) ? request.context : {};
  return { ...request, context: { ...context, writ_presentation: { aat_chain: [token], aat_pop: proof } } };
}

const reading = (id = 'todo-1'): JsonObject => ({
  subject: { type: 'user', id: 'u-1001' },
  action: { name: 'can_read_todos' },
  resource: { type: 'todo', id },
});
/** Of a viewer, who may not. */
const creating: JsonObject = {
  subject: { type: 'user', id: 'u-1004' },
  action: { name: 'can_create_todo' },
  resource: { type: 'todo', id: 'todo-1' },
};

function bodyOf({ status, headers, text }: Reply): JsonObject {
  expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' });
  return must(parseJsonObject(text, 'request.malformed'));
}

interface Answer {
  readonly decision: boolean;
  readonly context: { readonly writ: { readonly code?: string; readonly execution?: string } };
}

async function evaluate(request: JsonObject, headers?: Record<string, string>): Promise<Answer> {
  return bodyOf(await client.postJson('/access/v1/evaluation', request, headers)) as never;
}

async function evaluateAll(request: JsonObject): Promise<readonly Answer[]> {
  const { evaluations } = bodyOf(await client.postJson('/access/v1/evaluations', request));
  return evaluations as never;
}

const codesOf = (answers: readonly Answer[]) => answers.map(({ context }) => context.writ.code ?? 'permit');

function recordOf(answer: Answer): ExecutionRecord | undefined {
  const reader = openSqliteLogReader(domain.home.executionLogFolder('authzen'));
  try {
    return readExecution(reader, answer.context.writ.execution ?? '');
  } finally {
    reader.close();
  }
}

describe('the todo scenario', () => {
  it('decides as expected for who presents an artifact, and records each decision', async () => {
    const cases = todoCases();
    const answers = await evaluateAll({ evaluations: cases.map(({ request }) => presented(request)) });
    expect(answers.map(({ decision }) => decision)).toEqual(cases.map(({ expected }) => expected));
    expect(new Set(codesOf(answers))).toEqual(new Set(['permit', 'policy.not_permitted']));
    for (const [at, answer] of answers.entries()) {
      expect(recordOf(answer)?.decision.verdict).toBe(cases[at]?.expected ? 'permit' : 'deny');
    }
  });

  it('denies every one of its payloads to who presents none', async () => {
    const cases = todoCases();
    const answers = await evaluateAll({ evaluations: cases.map(({ request }) => request) });
    expect(codesOf(answers)).toEqual(cases.map(() => 'artifact.missing'));
    expect(answers.some(({ decision }) => decision)).toBe(false);
    const alone = await evaluate(reading());
    expect(alone).toMatchObject({
      decision: false,
      context: { id: 'artifact.missing', reason_user: { en: 'No authorization artifact was presented.' } },
    });
    expect(recordOf(alone)?.decision.code).toBe('artifact.missing');
  });
});

describe('a presentation', () => {
  it('serves for one request', async () => {
    const request = presented(reading());
    expect(await evaluate(request)).toMatchObject({ decision: true });
    expect(codesOf([await evaluate(request)])).toEqual(['replay.detected']);
  });

  it.each<[string, JsonObject, JsonObject]>([
    ['subject', reading(), { ...reading(), subject: { type: 'user', id: 'u-1002' } }],
    ['type of subject', reading(), { ...reading(), subject: { type: 'group', id: 'u-1001' } }],
    ['resource', reading(), reading('todo-2')],
    [
      'properties',
      reading(),
      { ...reading(), resource: { type: 'todo', id: 'todo-1', properties: { ownerID: 'x' } } },
    ],
    ['action', reading(), { ...reading(), action: { name: 'can_delete_todo' } }],
    [
      'properties of the action',
      reading(),
      { ...reading(), action: { name: 'can_read_todos', properties: { a: 1 } } },
    ],
    [
      'context',
      { ...reading(), context: { ip: '192.0.2.1' } },
      { ...reading(), context: { ip: '192.0.2.2' } },
    ],
    ['no context', { ...reading(), context: { ip: '192.0.2.1' } }, reading()],
  ])('serves for no request with another %s', async (_what, signed, sent) => {
    expect(codesOf([await evaluate(presented(sent, signed))])).toEqual(['identity.proof_invalid']);
  });

  it('does not serve where type and action could be cut in another place', async () => {
    const request = {
      ...reading(),
      action: { name: 'x' },
      resource: { type: 'todo/can_read_todos', id: 'todo-1' },
    };
    expect(codesOf([await evaluate(presented(request))])).toEqual(['scope.tool_not_granted']);
  });

  it.each([
    ['no object', 'text', 'artifact.malformed'],
    ['no chain', { aat_pop: 'a.b.c' }, 'artifact.missing'],
    ['no proof', { aat_chain: ['a.b.c'] }, 'identity.proof_missing'],
  ])('that is %s denies', async (_what, writ_presentation, code) => {
    expect(codesOf([await evaluate({ ...reading(), context: { writ_presentation } })])).toEqual([code]);
  });
});

describe('evaluations', () => {
  it('stop at the first denial, and leave what follows unspent', async () => {
    const after = presented(reading('after'));
    const evaluations = [presented(reading()), presented(creating), after];
    const options = { evaluations_semantic: 'deny_on_first_deny', other: 1 };
    expect(codesOf(await evaluateAll({ options, evaluations }))).toEqual(['permit', 'policy.not_permitted']);
    expect(await evaluate(after)).toMatchObject({ decision: true });
  });

  it('stop at the first permit, and leave what follows unspent', async () => {
    const after = presented(reading('after'));
    const evaluations = [creating, presented(reading()), after];
    const options = { evaluations_semantic: 'permit_on_first_permit' };
    expect(codesOf(await evaluateAll({ options, evaluations }))).toEqual(['artifact.missing', 'permit']);
    expect(await evaluate(after)).toMatchObject({ decision: true });
  });

  it('take what they leave out from the top', async () => {
    const { context } = presented(reading('other'));
    const answers = await evaluateAll({
      ...presented(reading()),
      evaluations: [{}, { resource: { id: 'other' }, context }, { action: {} }, { resource: 'todo' }, 7],
    });
    // The third asks what the first did, with the same presentation.
    expect(codesOf(answers)).toEqual([
      'permit',
      'permit',
      'replay.detected',
      'request.malformed',
      'request.malformed',
    ]);
    expect(answers[3]).toMatchObject({ decision: false, context: { error: { status: 400 } } });
  });

  it.each([undefined, []])('are one evaluation where there are none: %j', async (evaluations) => {
    const request = { ...presented(reading()), ...(evaluations && { evaluations }) };
    expect(bodyOf(await client.postJson('/access/v1/evaluations', request))).toMatchObject({
      decision: true,
    });
  });

  it.each<[string, JsonObject, number]>([
    ['no array', { evaluations: {} }, 400],
    ['an unknown semantic', { evaluations: [{}], options: { evaluations_semantic: 'any' } }, 400],
    ['a default of another type', { evaluations: [{}], subject: 'u-1001' }, 400],
    ['too many', { evaluations: Array.from({ length: 257 }, () => ({})) }, 413],
  ])('with %s are refused as a whole', async (_what, body, status) => {
    expect((await client.postJson('/access/v1/evaluations', body)).status).toBe(status);
  });
});

describe('the API', () => {
  it('ignores members it does not know, and binds none of them', async () => {
    const request = presented(reading());
    const more = { ...request, foo: 'bar', subject: { type: 'user', id: 'u-1001', identity: 'x' } };
    expect(await evaluate(more)).toMatchObject({ decision: true });
  });

  it.each<[string, JsonObject]>([
    ['subject', { action: { name: 'a' }, resource: { type: 'todo', id: '1' } }],
    ['subject.id', { ...reading(), subject: { type: 'user' } }],
    ['action.name', { ...reading(), action: { name: 123 } }],
    ['resource', { ...reading(), resource: 'todo' }],
    ['context', { ...reading(), context: [] }],
  ])(
    'answers 400 where %s is missing or of another type, and gives the request id back',
    async (member, body) => {
      const reply = await client.postJson('/access/v1/evaluation', body, { 'x-request-id': 'id 1; x=e' });
      expect(reply.status).toBe(400);
      expect(reply.headers['x-request-id']).toBe('id 1; x=e');
      expect(reply.text).toContain(`${member} is missing or of another type`);
    },
  );

  it.each([
    ['text/plain', '{}'],
    ['application/json', ''],
    ['application/json', '{"subject":'],
    ['application/json', '{"subject":{},"subject":{}}'],
  ])('answers 400 to a body of %s: %j', async (type, body) => {
    const headers = { 'content-type': type, 'x-request-id': 'r' };
    const reply = await client.send('POST', '/access/v1/evaluation', { headers, body });
    expect([reply.status, reply.headers['x-request-id']]).toEqual([400, 'r']);
  });

  it('says where it answers', async () => {
    const reply = await client.send('GET', '/.well-known/authzen-configuration');
    expect(bodyOf(reply)).toEqual({
      policy_decision_point: 'http://writ.test',
      access_evaluation_endpoint: 'http://writ.test/access/v1/evaluation',
      access_evaluations_endpoint: 'http://writ.test/access/v1/evaluations',
    });
    const other = await client.send('GET', '/.well-known/authzen-configuration/authzen/crm');
    expect(bodyOf(other).policy_decision_point).toBe('http://writ.test/authzen/crm');
    const { paths } = bodyOf(await client.send('GET', '/openapi.json'));
    expect(Object.keys(paths as never)).toEqual(
      expect.arrayContaining([
        '/access/v1/evaluation',
        '/access/v1/evaluations',
        '/forward-auth/{proxy}/{point}',
      ]),
    );
    // A point of its own has an audience of its own.
    const elsewhere = await client.postJson('/authzen/crm/access/v1/evaluation', presented(reading()));
    expect(codesOf([bodyOf(elsewhere) as never])).toEqual(['artifact.audience_mismatch']);
    expect((await client.postJson('/authzen/..%2fx/access/v1/evaluation', reading())).status).toBe(404);
  });
});

describe('the outcome', () => {
  it('is unknown where nobody will tell it', async () => {
    const answer = await evaluate(presented(reading()));
    expect(daemon.status().running).toBe(0);
    // The next permit is durable, and so is what was recorded before it.
    await evaluate(presented(reading()));
    expect(recordOf(answer)?.outcome).toMatchObject({
      status: 'unknown',
      note: 'decided for a remote enforcement point',
    });
  });

  it('is what the enforcement point tells, once', async () => {
    const answer = await evaluate(presented(reading()), { 'writ-outcome': 'told' });
    expect(daemon.status().running).toBe(1);
    const path = `/v1/enforcement-points/authzen/executions/${answer.context.writ.execution}/outcome`;
    expect((await client.postJson(path, { status: 'succeeded' })).status).toBe(200);
    expect((await client.postJson(path, { status: 'failed' })).status).toBe(404);
    expect(daemon.status().running).toBe(0);
  });
});
