import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isJsonObject } from '../../codec/index.ts';
import { lineOf, NOT_GRANTED, parseObject, readyHarness } from './session.test-support.ts';

const PASSING = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/unsubscribe',
  'prompts/list',
  'subscriptions/listen',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/roots/list_changed',
]);

const method = fc.oneof(
  fc.constantFrom(
    'tools/call',
    'Tools/call',
    'resources/read',
    'resources/subscribe',
    'prompts/get',
    'completion/complete',
    'tasks/get',
    'sampling/createMessage',
    'elicitation/create',
    'roots/list',
    'notifications/progress',
    'notifications/tools/list_changed',
    'notifications/message',
    '__proto__',
    ...PASSING,
  ),
  fc.string({ maxLength: 12 }),
);
const id = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.constantFrom(null, 'a', '1', 1.5, 1e300, -0, {}, [], true, '__proto__', 'writ-x-1'),
);
const params = fc.oneof(
  fc.record(
    {
      name: fc.constantFrom<unknown>('read', 'write', '', 'toString', 7, null),
      Name: fc.constant('write'),
      arguments: fc.oneof(fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue()), fc.jsonValue()),
      uri: fc.constantFrom<unknown>('file:///x', 1),
      requestId: id,
      inputResponses: fc.jsonValue(),
      requestState: fc.constantFrom<unknown>('s', 1),
      notifications: fc.constantFrom<unknown>({}, { resourceSubscriptions: ['a', 'b'] }, { x: 1 }, []),
      task: fc.constant({}),
      _meta: fc.constantFrom<unknown>({}, { 'writ/parent': 'x' }, { 'writ/receipt': true }, [], {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/subscriptionId': 1,
      }),
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
);
const result = fc.oneof(
  fc.record(
    {
      tools: fc.oneof(
        fc.array(fc.constantFrom<unknown>({ name: 'read' }, { name: 'write' }, 1)),
        fc.jsonValue(),
      ),
      resultType: fc.constantFrom<unknown>('complete', 'input_required', 'task', 1),
      inputRequests: fc.oneof(
        fc.constant({ k: { method: 'elicitation/create', params: {} } }),
        fc.constant({ k: { method: 'evil' } }),
        fc.jsonValue(),
      ),
      requestState: fc.constantFrom<unknown>('s', 1),
      nextCursor: fc.constantFrom<unknown>('c', 1, null),
      isError: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
);
const error = fc.oneof(
  fc.record(
    {
      code: fc.constantFrom<unknown>(-32042, -32601, 'x'),
      message: fc.string({ maxLength: 3 }),
      data: fc.constantFrom<unknown>({ elicitations: [{}] }, { Elicitations: [] }, 1),
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
);
const message = fc.record(
  {
    jsonrpc: fc.constantFrom<unknown>('2.0', '2.0', '2.0', '1.0', 2),
    id,
    method,
    params,
    result,
    error,
    x: fc.constant(1),
  },
  { requiredKeys: ['jsonrpc'] },
);
/** Shaped like requests and answers, so that most get past the door. */
const plausible = fc.oneof(
  fc.record({ jsonrpc: fc.constant('2.0'), id: fc.integer({ min: 0, max: 9 }), method, params }),
  fc.record({ jsonrpc: fc.constant('2.0'), method, params }),
  fc.record({ jsonrpc: fc.constant('2.0'), id: fc.integer({ min: 0, max: 9 }), result }),
  fc.record({ jsonrpc: fc.constant('2.0'), id: fc.integer({ min: 0, max: 9 }), error }),
);
const text = fc.oneof(
  { weight: 6, arbitrary: plausible.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: message.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.array(message, { maxLength: 3 }).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 40 }) },
  // Cut, doubled or spiced with bytes that some reader takes for a newline.
  {
    weight: 1,
    arbitrary: fc
      .tuple(plausible, fc.nat(80), fc.constantFrom('', '\r', '\0', '\u2028', '"', '}'))
      .map(([value, at, spice]) => {
        const whole = JSON.stringify(value);
        return whole.slice(0, at) + spice + whole.slice(at);
      }),
  },
);
const hostileLine = fc.oneof(
  { weight: 20, arbitrary: text.map((value) => lineOf(value.replaceAll('\n', ' '))) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ maxLength: 40 })
      .map((bytes) => Buffer.concat([Buffer.from(bytes.filter((byte) => byte !== 10)), Buffer.from('\n')])),
  },
);
const lines = fc.array(fc.tuple(fc.boolean(), hostileLine), { minLength: 40, maxLength: 40 });

const GOVERNED: Readonly<Record<string, string>> = {
  'tools/call': 'mcp://fs/tools/',
  'resources/read': 'mcp://fs/resources/read',
  'resources/subscribe': 'mcp://fs/resources/subscribe',
  'prompts/get': 'mcp://fs/prompts/get',
  'completion/complete': 'mcp://fs/completion/complete',
  'sampling/createMessage': 'mcp://fs/sampling/createMessage',
  'elicitation/create': 'mcp://fs/elicitation/create',
  'roots/list': 'mcp://fs/roots/list',
};

describe('20,000 hostile lines', () => {
  it('never crash a session, and nothing crosses it in either direction that was not permitted', async () => {
    await fc.assert(
      fc.asyncProperty(lines, async (both) => {
        // Everything that writes is denied, everything else permitted.
        const h = await readyHarness({
          decide: ({ tool }) => (/write|subscribe|sampling/.test(tool) ? NOT_GRANTED : undefined),
          limits: { garbageGraceMs: 0 },
        });
        for (const [index, [fromClient, line]] of both.entries()) {
          if (fromClient) h.session.fromClient(line);
          else h.session.fromUpstream(line);
          if (index % 4 === 3) await h.settle();
        }
        await h.settle();
        const sent = new Set(both.map(([, line]) => line.subarray(0, -1).toString()));
        const permitted = h.governor.runs.filter(({ denial }) => denial === undefined);
        const isPermitted = (prefix: string) =>
          permitted.some(({ action }) => action.tool.startsWith(prefix));

        for (const line of [...h.toUpstream, ...h.toClient]) {
          const value = parseObject(line);
          if (!('method' in value) || typeof value.method !== 'string') continue;
          if (!sent.has(line)) {
            // The gateway's own words.
            expect(['notifications/cancelled', 'tools/list', 'subscriptions/listen']).toContain(value.method);
            continue;
          }
          const prefix = GOVERNED[value.method];
          if (prefix !== undefined && 'id' in value) expect(isPermitted(prefix)).toBe(true);
        }
        for (const line of h.toUpstream) {
          const value = parseObject(line);
          const name = isJsonObject(value.params) ? value.params.name : undefined;
          if (value.method === 'tools/call') expect(name).not.toBe('write');
          if ('id' in value && typeof value.method === 'string' && GOVERNED[value.method] === undefined) {
            expect(PASSING).toContain(value.method);
          }
          if (!('method' in value) && sent.has(line)) {
            // An answer of the client's: something must have been asked under this id.
            const asked = h.toClient.map(parseObject).some(({ id, method }) => id === value.id && method);
            expect(asked).toBe(true);
          }
        }
        for (const line of h.toClient) {
          const value = parseObject(line);
          if ('method' in value || !sent.has(line)) continue;
          const asked = h.toUpstream.map(parseObject).some(({ id, method }) => id === value.id && method);
          expect(asked).toBe(true);
        }
        // Nobody is left waiting for ever but those the other side owes an answer.
        h.session.upstreamFailed({ message: 'm', note: 'n', effect: 'unknown' });
        await h.session.idle();
        expect(h.session.heldBytes).toEqual({ client: 0, upstream: 0 });
      }),
      { numRuns: 500 },
    );
  }, 60_000);
});
