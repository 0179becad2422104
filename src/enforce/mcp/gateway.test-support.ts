import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { JsonObject, JsonValue } from '../../codec/index.ts';
import type { Denial } from '../../denial/index.ts';
import { type GatewayExit, type GatewayOptions, runMcpGateway } from './gateway.ts';
import type { Action } from './ports.ts';
import {
  type FakeGovernor,
  fakeGovernor,
  fakePresenter,
  lineOf,
  parseObject,
} from './session.test-support.ts';

export const SCRIPTED_SERVER = fileURLToPath(
  new URL('../../../test/fixtures/mcp/scripted-server.ts', import.meta.url),
);

export interface GatewayHarness {
  readonly governor: FakeGovernor;
  readonly input: PassThrough;
  readonly output: PassThrough;
  readonly exit: Promise<GatewayExit>;
  /** Messages the client got, parsed. */
  readonly received: JsonObject[];
  readonly stderr: () => string;
  send(message: JsonValue | string): void;
  /** Waits for the first message that matches, past ones included. */
  next(matches: (message: JsonObject) => boolean): Promise<JsonObject>;
  answer(id: JsonValue): Promise<JsonObject>;
  /** What the upstream has read so far. */
  recorded(): string;
  /** The handshake of the older era. */
  initialize(): Promise<void>;
}

export interface GatewayHarnessOptions
  extends Partial<Omit<GatewayOptions, 'client' | 'governor' | 'stderr'>> {
  readonly decide?: (action: Action) => Denial | undefined | Promise<Denial | undefined>;
  readonly serverArgs?: readonly string[];
}

/** A gateway in this process in front of the scripted server. */
export function startGateway(options: GatewayHarnessOptions = {}): GatewayHarness {
  const { decide, serverArgs = [], ...overrides } = options;
  const record = join(mkdtempSync(join(tmpdir(), 'writ-mcp-')), 'record');
  const governor = fakeGovernor(decide);
  const input = new PassThrough();
  const output = new PassThrough();
  const stderr = new PassThrough();
  const received: JsonObject[] = [];
  const waiting = new Set<() => void>();
  let errors = '';
  let rest = '';
  stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  output.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    received.push(...lines.map(parseObject));
    for (const check of waiting) check();
  });
  const exit = runMcpGateway({
    name: 'fs',
    upstream: { command: process.execPath, args: [SCRIPTED_SERVER, '--record', record, ...serverArgs] },
    presenter: fakePresenter(),
    ...overrides,
    client: { input, output },
    governor,
    stderr,
  });
  const next = (matches: (message: JsonObject) => boolean): Promise<JsonObject> =>
    new Promise((resolve) => {
      const check = (): void => {
        const found = received.find(matches);
        if (found === undefined) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  const send = (message: JsonValue | string): void => {
    input.write(lineOf(message));
  };
  const answer = (id: JsonValue): Promise<JsonObject> =>
    next((message) => message.id === id && !('method' in message));
  return {
    governor,
    input,
    output,
    exit,
    received,
    stderr: () => errors,
    send,
    next,
    answer,
    recorded() {
      try {
        return readFileSync(record, 'utf8');
      } catch {
        return '';
      }
    },
    async initialize() {
      const params = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 't', version: '1' },
      };
      send({ jsonrpc: '2.0', id: 'init', method: 'initialize', params });
      await answer('init');
      send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    },
  };
}
