import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { toolDefinitionDigest } from '../../policy/index.ts';
import type { Action, CallerTrace, CallGovernor, EffectResult, Presenter } from './ports.ts';
import { Session } from './session.ts';
import { DEFAULT_SESSION_LIMITS, type SessionLimits, type SessionPorts } from './session-ports.ts';

/** One run of the fake governor. */
export interface Run {
  readonly id: string;
  readonly action: Action;
  readonly caller: CallerTrace | undefined;
  denial?: Denial;
  /** How the effect ended; undefined while it runs. */
  end?: { status: EffectResult<unknown>['status']; note?: string; evidence?: string };
  readonly abort: AbortController;
}

export interface FakeGovernor extends CallGovernor {
  readonly runs: Run[];
  runsOf(tool: string): Run[];
}

/**
 * A governor that permits what `decide` does not deny, after a turn of the event loop, and keeps what came of it. A
 * presentation that is a denial denies, and so does a refusal, as in the real one.
 */
export function fakeGovernor(
  decide: (action: Action) => Denial | undefined | Promise<Denial | undefined> = () => undefined,
): FakeGovernor {
  const runs: Run[] = [];
  return {
    runs,
    runsOf: (tool) => runs.filter(({ action }) => action.tool === tool),
    async run(action, effect, caller) {
      const run: Run = { id: `execution-${runs.length + 1}`, action, caller, abort: new AbortController() };
      runs.push(run);
      await Promise.resolve();
      const { presentation, refusal } = action;
      const denial = refusal ?? (isDenial(presentation) ? presentation : await decide(action));
      if (denial !== undefined) {
        run.denial = denial;
        return { verdict: 'deny', executionId: run.id, denial, receiptIndex: runs.length };
      }
      const { status, value, note, evidence } = await effect({ id: run.id, signal: run.abort.signal });
      run.end = {
        status,
        ...(note === undefined ? {} : { note }),
        ...(evidence === undefined ? {} : { evidence: Buffer.from(evidence).toString() }),
      };
      return { verdict: 'permit', executionId: run.id, receiptIndex: runs.length, value };
    },
  };
}

/** Grants everything but answers to questions that were not asked. */
export function fakePresenter(
  grants: (tool: string) => boolean = (tool) => !tool.endsWith('/input/answer'),
): Presenter {
  return {
    grants,
    present: (_tool, _args, parent) => ({ aat_chain: ['chain'], aat_pop: `proof of ${parent ?? 'root'}` }),
  };
}

export const NOT_GRANTED = deny('scope.tool_not_granted', 'not granted');

export interface Harness {
  readonly session: Session;
  readonly governor: FakeGovernor;
  /** Lines written to either side so far, as text without newlines. */
  readonly toClient: string[];
  readonly toUpstream: string[];
  readonly events: string[];
  client(message: JsonValue | string): void;
  upstream(message: JsonValue | string): void;
  /** Lines that reached the upstream, without the gateway's own requests. */
  forwarded(): string[];
  /** Answers the gateway's own latest `tools/list`. */
  listTools(tools: readonly JsonValue[], more?: JsonObject): void;
  ownRequests(method: string): JsonObject[];
  /** The answer the client got under an id. */
  answer(id: JsonValue): JsonObject | undefined;
  /** Lets everything that can happen now happen. */
  settle(): Promise<void>;
}

export interface HarnessOptions {
  readonly decide?: (action: Action) => Denial | undefined | Promise<Denial | undefined>;
  readonly grants?: (tool: string) => boolean;
  readonly pins?: SessionPorts['pinnedDigest'];
  readonly limits?: Partial<SessionLimits>;
  readonly presenter?: Presenter;
  readonly onDefinitions?: SessionPorts['onDefinitions'];
  readonly killUpstream?: () => void;
  readonly consoleUrl?: string;
}

export function harness(options: HarnessOptions = {}): Harness {
  const governor = fakeGovernor(options.decide);
  const toClient: string[] = [];
  const toUpstream: string[] = [];
  const events: string[] = [];
  const session = new Session({
    server: 'fs',
    governor,
    presenter: options.presenter ?? fakePresenter(options.grants),
    digestOf: toolDefinitionDigest,
    pinnedDigest: options.pins ?? (() => undefined),
    onDefinitions: options.onDefinitions ?? (() => {}),
    ...(options.killUpstream === undefined ? {} : { killUpstream: options.killUpstream }),
    toClient: (bytes) => toClient.push(withoutNewline(bytes)),
    toUpstream: (bytes) => toUpstream.push(withoutNewline(bytes)),
    diagnose: (event) => events.push(event),
    limits: { ...DEFAULT_SESSION_LIMITS, ...options.limits },
    consoleUrl: options.consoleUrl,
  });
  const parsed = (lines: string[]): JsonObject[] => lines.map(parseObject);
  const ownRequests = (method: string): JsonObject[] =>
    parsed(toUpstream).filter((message) => message.method === method && isOwnId(message.id));
  return {
    session,
    governor,
    toClient,
    toUpstream,
    events,
    client: (message) => session.fromClient(lineOf(message)),
    upstream: (message) => session.fromUpstream(lineOf(message)),
    forwarded: () => toUpstream.filter((line) => !isOwnId(parseObject(line).id)),
    ownRequests,
    listTools(tools, more = {}) {
      const id = ownRequests('tools/list').at(-1)?.id ?? null;
      session.fromUpstream(lineOf({ jsonrpc: '2.0', id, result: { tools, ...more } }));
    },
    answer: (id) => parsed(toClient).find((message) => message.id === id && !('method' in message)),
    async settle() {
      for (let turn = 0; turn < 8; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** A session of the older era, initialized, with these tools listed. */
export async function readyHarness(options: HarnessOptions & { tools?: JsonValue[] } = {}): Promise<Harness> {
  const ready = harness(options);
  ready.client({ jsonrpc: '2.0', id: 'init', method: 'initialize', params: {} });
  ready.upstream({ jsonrpc: '2.0', id: 'init', result: { protocolVersion: '2025-11-25', capabilities: {} } });
  ready.client({ jsonrpc: '2.0', method: 'notifications/initialized' });
  ready.listTools(options.tools ?? [READ_TOOL, WRITE_TOOL]);
  await ready.settle();
  ready.toClient.length = 0;
  ready.toUpstream.length = 0;
  return ready;
}

export const READ_TOOL = { name: 'read', description: 'Reads.', inputSchema: { type: 'object' } };
export const WRITE_TOOL = { name: 'write', description: 'Writes.', inputSchema: { type: 'object' } };

export function call(id: JsonValue, name: string, args: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, ...more } };
}

export function result(id: JsonValue, text = 'done'): JsonObject {
  return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } };
}

export function lineOf(message: JsonValue | string): Buffer {
  return Buffer.from(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
}

export function parseObject(line: string): JsonObject {
  const value: unknown = JSON.parse(line);
  if (!isJsonObject(value)) throw new TypeError('not an object');
  return value;
}

function isOwnId(id: JsonValue | undefined): boolean {
  return typeof id === 'string' && id.startsWith('writ-');
}

function withoutNewline(bytes: Buffer): string {
  if (bytes.at(-1) !== 0x0a) throw new TypeError('a line without its newline');
  return bytes.subarray(0, -1).toString();
}
