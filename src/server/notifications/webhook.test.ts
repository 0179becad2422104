import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApprovalRequest } from '../../governor/index.ts';
import { approvalNotice } from './approval-notice.ts';
import { deliverWebhook, findTargetProblem, signWebhook } from './webhook.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const call = { id: 'msg_1', nowSeconds: () => 1_700_000_000 };
/** Long, but for where no answer comes: a busy machine is no silence. */
const fast = { backoffMs: 1, timeoutMs: 10_000 };
const impatient = { backoffMs: 1, timeoutMs: 500 };

let server: Server;
let url = '';
/** Statuses to answer with, one a request; -1 does not answer. */
let answers: number[] = [];
let received: { headers: IncomingHttpHeaders; body: string; path: string | undefined }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push({ headers: request.headers, body, path: request.url });
      const status = answers.shift() ?? 204;
      if (status < 0) return;
      response.writeHead(status, { location: `${url}/elsewhere` }).end();
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  answers = [];
  received = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const request = {
  id: '019ac1de-0000-7000-8000-000000000000',
  status: 'open',
  atMs: 1_700_000_000_000,
  expiresAtMs: 1_700_000_900_000,
  required: [{ role: 'operator', threshold: 1 }],
  missing: [{ role: 'operator', people: 1 }],
  given: [],
  receipt: { tool: 'mcp://fs/tools/write_file', agent: 'spiffe://test.local/agent/a' },
} as unknown as ApprovalRequest;

describe('a webhook', () => {
  it('is signed as Standard Webhooks has it, and says where to look without saying what was asked', async () => {
    const notice = approvalNotice('requested', request, 'https://console.test/');
    expect(notice.data).toMatchObject({ url: `https://console.test/approvals/${request.id}` });
    expect(await deliverWebhook({ url, secret }, notice, call, fast)).toEqual({
      kind: 'delivered',
      status: 204,
      attempts: 1,
    });
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    const signed = createHmac('sha256', Buffer.alloc(32, 7))
      .update(`msg_1.1700000000.${body}`)
      .digest('base64');
    expect(headers).toMatchObject({
      'webhook-id': 'msg_1',
      'webhook-timestamp': '1700000000',
      'webhook-signature': `v1,${signed}`,
    });
    expect(JSON.parse(body)).toEqual(notice);
  });

  it('has the signature that the reference libraries test for', () => {
    const { headers } = signWebhook('{"test": 2432232314}', {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      atSeconds: 1614265330,
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    });
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it.each([
    ['overload', [503, 429, 204], { kind: 'delivered', attempts: 3 }, 3],
    ['a refusal', [400], { kind: 'failed', attempts: 1, reason: 'the receiver answered 400' }, 1],
    ['a redirect', [307], { kind: 'failed', attempts: 1, reason: 'the receiver answered 307' }, 1],
    ['failure without end', [500, 500, 500, 500, 500], { kind: 'failed', attempts: 4 }, 4],
    ['silence', [-1, 204], { kind: 'delivered', attempts: 2 }, 2],
  ] as const)('meets %s within bounds', async (name, statuses, delivery, requests) => {
    answers = [...statuses];
    const limits = name === 'silence' ? impatient : fast;
    expect(await deliverWebhook({ url, secret }, { type: 'x' }, call, limits)).toMatchObject(delivery);
    expect(received).toHaveLength(requests);
    expect(received.every(({ path }) => path === '/')).toBe(true);
    expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set(['msg_1']));
  });

  it('goes to https, or to this machine, and with a real secret', () => {
    expect(findTargetProblem({ url: 'https://hooks.test/x', secret })).toBeUndefined();
    for (const bad of ['http://hooks.test/', 'file:///etc/passwd', 'https://a:b@hooks.test/', 'x']) {
      expect(findTargetProblem({ url: bad, secret })?.code, bad).toBe('request.malformed');
    }
    for (const bad of ['', 'secret', 'whsec_', `whsec_${Buffer.alloc(8).toString('base64')}`]) {
      expect(findTargetProblem({ url: 'https://hooks.test/', secret: bad })?.code).toBe('request.malformed');
    }
  });
});
