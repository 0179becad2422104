import { isJsonObject, type JsonObject, type JsonValue } from '../../src/codec/index.ts';
import { parseMessage } from '../../src/enforce/mcp/message.ts';
import {
  call,
  NOT_GRANTED,
  parseObject,
  readyHarness,
  result,
} from '../../src/enforce/mcp/session.test-support.ts';
import type { FuzzTarget } from './fuzz-targets.ts';
import { mutateBytes, mutateJson, mutateText, pickFrom, soup } from './mutate.ts';
import type { Random } from './random.ts';

const LIMITS = { maxBytes: 1_000_000, maxDepth: 64 };
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'writ/receipt': true };
const CLIENT: readonly JsonObject[] = [
  call(1, 'read', { path: 'a' }),
  call(2, 'write', { path: 'a' }, { _meta: META }),
  { jsonrpc: '2.0', id: 3, method: 'resources/read', params: { uri: 'a:b' } },
  { jsonrpc: '2.0', id: 'x', method: 'prompts/get', params: { name: 'p', arguments: {} } },
  { jsonrpc: '2.0', id: 4, method: 'tools/list', params: {} },
  {
    jsonrpc: '2.0',
    id: 5,
    method: 'subscriptions/listen',
    params: { notifications: { resourceSubscriptions: ['a'] } },
  },
  { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } },
  { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } },
  result(9, 'an answer of the client'),
];
const UPSTREAM: readonly JsonObject[] = [
  result(1),
  {
    jsonrpc: '2.0',
    id: 2,
    error: { code: -32042, message: 'm', data: { elicitations: [{ mode: 'url', url: 'x' }] } },
  },
  {
    jsonrpc: '2.0',
    id: 3,
    result: {
      resultType: 'input_required',
      inputRequests: { q: { method: 'elicitation/create', params: {} } },
    },
  },
  { jsonrpc: '2.0', id: 4, result: { tools: [{ name: 'read' }, { name: 'write' }], nextCursor: 'c' } },
  { jsonrpc: '2.0', id: 9, method: 'sampling/createMessage', params: { messages: [] } },
  { jsonrpc: '2.0', id: 10, method: 'roots/list', params: {} },
  { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
];

const LINES_PER_SESSION = 40;

/** Single messages, and whole sessions with hostile peers on both sides. */
export function mcpTargets(): FuzzTarget[] {
  return [
    {
      name: 'MCP message',
      feed(random) {
        const line = hostileLine(random, [...CLIENT, ...UPSTREAM]);
        const message = parseMessage(line, LIMITS);
        if (message.kind === 'refused') return 'refused';
        // What is read is what any other parser reads in these bytes.
        const value = JSON.parse(line.toString('utf8')) as JsonObject;
        if (message.kind !== 'response' && message.method !== value.method) return 'another method';
        if (message.kind !== 'notification' && message.id !== value.id) return 'another id';
        return 'accepted';
      },
    },
    { name: `MCP session of ${LINES_PER_SESSION} lines`, feed: playSession },
  ];
}

/** Writing, sampling and subscribing are denied: nothing of it may cross. */
async function playSession(random: Random): Promise<string> {
  const h = await readyHarness({
    decide: ({ tool }) => (/write|subscribe|sampling/.test(tool) ? NOT_GRANTED : undefined),
    limits: { garbageGraceMs: 0 },
  });
  for (let index = 0; index < LINES_PER_SESSION; index += 1) {
    if (random.chance(0.5)) h.session.fromClient(hostileLine(random, CLIENT));
    else h.session.fromUpstream(hostileLine(random, UPSTREAM));
    if (index % 4 === 3) await h.settle();
  }
  await h.settle();
  const forbidden = (lines: readonly string[], method: string, name?: string): boolean =>
    lines.map(parseObject).some(({ method: sent, params }) => {
      return (
        sent === method && (name === undefined || (isJsonObject(params ?? null) && nameIn(params) === name))
      );
    });
  if (forbidden(h.toUpstream, 'tools/call', 'write')) return 'a denied call crossed';
  if (forbidden(h.toUpstream, 'resources/subscribe')) return 'a denied subscription crossed';
  if (forbidden(h.toClient, 'sampling/createMessage')) return 'a denied question crossed';
  h.session.upstreamFailed({ message: 'm', note: 'n', effect: 'unknown' });
  await h.session.idle();
  const { client, upstream } = h.session.heldBytes;
  return client === 0 && upstream === 0 ? 'accepted' : 'something is held for ever';
}

function nameIn(params: JsonValue | undefined): JsonValue | undefined {
  return params !== undefined && isJsonObject(params) ? params.name : undefined;
}

function hostileLine(random: Random, samples: readonly JsonObject[]): Buffer {
  const sample = pickFrom(random, samples);
  const kind = random.fraction();
  if (kind < 0.15) return lineOf(JSON.stringify(sample));
  if (kind < 0.65) return lineOf(JSON.stringify(mutateJson(random, sample, pickFrom(random, samples))));
  if (kind < 0.9)
    return lineOf(mutateText(random, JSON.stringify(sample), JSON.stringify(pickFrom(random, samples))));
  if (kind < 0.95) return lineOf(soup(random));
  const bytes = mutateBytes(random, Buffer.from(JSON.stringify(sample))).filter((byte) => byte !== 0x0a);
  return Buffer.concat([bytes, Buffer.from('\n')]);
}

function lineOf(text: string): Buffer {
  return Buffer.from(`${text.replaceAll('\n', ' ')}\n`);
}
