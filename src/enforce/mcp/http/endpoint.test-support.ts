import { type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isJsonObject, type JsonObject } from '../../../codec/index.ts';
import type { Denial } from '../../../denial/index.ts';
import type { Action, Presenter } from '../ports.ts';
import {
  type FakeGovernor,
  fakeGovernor,
  fakePresenter,
  NOT_GRANTED,
  parseObject,
} from '../session.test-support.ts';
import { type GovernedUpstreamOptions, governedUpstream } from './governed-upstream.ts';
import { type EndpointLimits, type EndpointOptions, McpEndpoint } from './mcp-endpoint.ts';
import { multiplexer } from './multiplexer.ts';
import type { LinkEvents, OpenLink } from './upstream-link.ts';

/** One upstream that a channel opened: what reached it, and its voice. */
export interface ScriptedUpstream {
  readonly name: string;
  readonly received: JsonObject[];
  readonly lines: string[];
  stopped: boolean;
  say(message: JsonObject): void;
}

export interface EndpointHarness {
  readonly endpoint: McpEndpoint;
  readonly governor: FakeGovernor;
  readonly upstreams: ScriptedUpstream[];
  readonly port: number;
  /** Calls that reached any upstream. */
  calls(): JsonObject[];
  post(body: unknown, headers?: Record<string, string>): Promise<Reply>;
  send(method: string, body: string | undefined, headers: Record<string, string>): Promise<Reply>;
  /** Begins a session; its id. */
  initialize(headers?: Record<string, string>): Promise<string>;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: JsonObject;
}

export interface HarnessOptions {
  readonly tokens?: readonly string[];
  /** Names of the upstreams; several stand behind one endpoint. */
  readonly names?: readonly string[];
  readonly limits?: Partial<EndpointLimits>;
  readonly presentations?: EndpointOptions['presentations'];
  readonly decide?: (action: Action) => Denial | undefined;
  /** Decides in place of the one that only notes what it is asked. */
  readonly real?: Pick<GovernedUpstreamOptions, 'governor' | 'pinnedDigest' | 'onDefinitions'>;
  /** Answers a request; undefined leaves it open. */
  readonly answer?: (message: JsonObject, upstream: ScriptedUpstream) => JsonObject | undefined;
}

export const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

export function modernHeaders(method: string, name?: string): Record<string, string> {
  return {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': name }),
  };
}

export function modernCall(id: string | number, name: string, args: JsonObject = {}): JsonObject {
  const params = { name, arguments: args, _meta: MODERN_META };
  return { jsonrpc: '2.0', id, method: 'tools/call', params };
}

const NOBODY: Presenter = { grants: () => false, present: () => NOT_GRANTED };

function defaultAnswer({ id = null, method, params }: JsonObject): JsonObject | undefined {
  const answer = (result: JsonObject): JsonObject => ({ jsonrpc: '2.0', id, result });
  switch (method) {
    case 'initialize':
      return answer({ protocolVersion: '2025-11-25', capabilities: { tools: {} } });
    case 'tools/list':
      return answer({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] });
    case 'tools/call': {
      const text = isJsonObject(params) ? JSON.stringify(params.arguments) : '';
      return answer({ content: [{ type: 'text', text }] });
    }
    default:
      return method === undefined
        ? undefined
        : { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } };
  }
}

export async function startEndpoint(options: HarnessOptions = {}): Promise<EndpointHarness> {
  const upstreams: ScriptedUpstream[] = [];
  const linkTo =
    (name: string): OpenLink =>
    (events: LinkEvents) => {
      const upstream: ScriptedUpstream = {
        name,
        received: [],
        lines: [],
        stopped: false,
        say: (message) => events.onLine(Buffer.from(`${JSON.stringify(message)}\n`), undefined),
      };
      upstreams.push(upstream);
      return {
        isGone: false,
        backlogBytes: 0,
        send(line) {
          const text = line.toString('utf8');
          upstream.lines.push(text);
          const message = parseObject(text);
          upstream.received.push(message);
          if (message.id === undefined) return;
          const answer = (options.answer ?? defaultAnswer)(message, upstream) ?? undefined;
          if (answer !== undefined) queueMicrotask(() => upstream.say(answer));
        },
        async stop() {
          upstream.stopped = true;
        },
      };
    };
  const governor = fakeGovernor(options.decide);
  const { names = ['fs'] } = options;
  const openOne = (name: string) =>
    governedUpstream({
      name,
      openLink: linkTo(name),
      governor,
      presenter: options.presentations === undefined ? fakePresenter() : NOBODY,
      diagnose: () => {},
      ...options.real,
    });
  const hosts = new Set<string>();
  const endpoint: McpEndpoint = new McpEndpoint({
    access: { hosts, origins: new Set(['https://app.example']), tokens: options.tokens ?? [] },
    path: '/mcp',
    resource: () => ({
      resource: `http://127.0.0.1:${port}/mcp`,
      authorizationServers: ['https://as.example'],
      ...(options.presentations && { more: { writ: { name: 'fs', upstreams: [...names] } } }),
    }),
    open:
      names.length === 1
        ? openOne(names[0] ?? '')
        : multiplexer(new Map(names.map((name) => [name, openOne(name)]))),
    diagnose: () => {},
    ...(options.presentations && { presentations: options.presentations }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  await new Promise<void>((resolve) => endpoint.server.listen(0, '127.0.0.1', resolve));
  const { port } = endpoint.server.address() as AddressInfo;
  hosts.add(`127.0.0.1:${port}`).add(`localhost:${port}`);

  const send = (method: string, body: string | undefined, headers: Record<string, string>) =>
    new Promise<Reply>((resolve, reject) => {
      const sent = request(
        { port, host: '127.0.0.1', method, path: '/mcp', agent: false, headers },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => {
            const { statusCode: status = 0, headers: got } = response;
            resolve({ status, headers: got, text, json: jsonOf(text) });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    send('POST', typeof body === 'string' ? body : JSON.stringify(body), {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    });
  return {
    endpoint,
    governor,
    upstreams,
    port,
    calls: () =>
      upstreams.flatMap(({ received }) => received.filter(({ method }) => method === 'tools/call')),
    post,
    send,
    async initialize(headers = {}) {
      const params = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 't', version: '1' },
      };
      const reply = await post({ jsonrpc: '2.0', id: 'init', method: 'initialize', params }, headers);
      const session = String(reply.headers['mcp-session-id']);
      await post(
        { jsonrpc: '2.0', method: 'notifications/initialized' },
        { ...headers, 'mcp-session-id': session },
      );
      return session;
    },
    close: () => endpoint.close(),
  };
}

function jsonOf(text: string): JsonObject {
  try {
    return parseObject(text);
  } catch {
    return {};
  }
}
