import { cpSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { must, TestDomain } from '../../../test/support/trust-domain.ts';
import type { JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { Home } from '../home.ts';
import { programVersion } from '../program.ts';
import { connectGovernor } from './connect-governor.ts';
import { SESSION_PROTOCOL } from './session-protocol.ts';

/** What answers on the socket of a domain, as a daemon does. */
let domain: TestDomain;
let server: Server;
let status: Record<string, unknown> = {};
let asked: string[] = [];

beforeAll(async () => {
  domain = await TestDomain.create();
  const { home } = domain;
  const run = dirname(home.daemonFile);
  mkdirSync(run, { recursive: true, mode: 0o700 });
  const socket = join(run, 'writ.sock');
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end(JSON.stringify(status));
  });
  await new Promise<void>((listening) => server.listen(socket, listening));
  const address = { type: 'writ/daemon@v1', pid: 1, home: realpathSync(home.folder), socket };
  writeFileSync(home.daemonFile, JSON.stringify({ ...address, version: '0', startedAt: 'now' }));
});
beforeEach(() => {
  asked = [];
  status = { domain: domain.home.domain, version: programVersion(), pid: 1 };
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  domain.dispose();
});

const connect = (home = domain.home, start?: () => Promise<unknown>) =>
  connectGovernor({ home, name: 'fs', components: [], ...(start && { start }) });

test('a daemon of another version, or of another domain, is refused with what to do, and is asked for nothing', async () => {
  for (const [change, told] of [
    [{ version: '0.0.1' }, 'writ up down'],
    [{ domain: 'other.example' }, 'other.example'],
  ] as const) {
    status = { ...status, ...change };
    const refused = await connect(domain.home, () => Promise.reject(new Error('must not start one')));
    expect(isDenial(refused) && refused.code).toBe('log.unavailable');
    expect(isDenial(refused) && refused.detail).toContain(told);
    expect(asked).toEqual(['GET /v1/status']);
    asked = [];
  }
});

test('a home that was copied does not use the daemon of the home it was copied from', async () => {
  const folder = `${domain.home.folder}-copy`;
  cpSync(domain.home.folder, folder, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  const copy = new Home(folder, domain.home.domain, domain.home.governanceVkey);
  expect(await connect(copy)).toBeUndefined();
  expect(asked).toEqual([]);
  rmSync(folder, { recursive: true });
});

test('one that cannot be started is not tried again at once, and never replaced by this process', async () => {
  const folder = `${domain.home.folder}-none`;
  const home = new Home(folder, domain.home.domain, domain.home.governanceVkey);
  const reason = 'the daemon did not start';
  for (const start of [() => Promise.reject(new Error(reason)), () => Promise.resolve()]) {
    let starts = 0;
    const refused = await connect(home, () => {
      starts += 1;
      return start();
    });
    expect(isDenial(refused) && refused.code).toBe('log.unavailable');
    expect(starts).toBe(1);
  }
});

test('what is measured while a lost session is opened again is told before anything is asked', async () => {
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => SESSION_PROTOCOL });
  const told: string[] = [];
  let last: WebSocket | undefined;
  let onOpen = () => {};
  server.on('upgrade', (upgrade, socket, head) => {
    sockets.handleUpgrade(upgrade, socket, head, (connected) => {
      last = connected;
      connected.on('message', (data) => {
        for (const { id, open, components = open?.components, ask } of JSON.parse(String(data))) {
          const names = (components as JsonObject[] | undefined)?.map(({ name }) => name).join();
          told.push(open ? `open ${names}` : ask ? 'ask' : `components ${names}`);
          if (open) onOpen();
          const body = { session: 's', log: 'fs', audience: 'a', pins: {}, code: 'policy.denied' };
          connected.send(JSON.stringify([{ id, status: ask ? 403 : 200, body }]));
        }
      });
    });
  });
  const named = (name: string) => [{ kind: 'x', name, digest: `sha256:${'0a'.repeat(32)}` as const }];
  const connected = must(
    await connectGovernor({
      home: domain.home,
      name: 'fs',
      components: named('before'),
      measuredAtSeconds: 1,
    }),
  );
  if (connected === undefined) throw new Error('not connected');
  onOpen = () => connected.setComponents(named('after'), 2);
  last?.terminate();
  const asked = await connected.governor.run(
    { tool: 'mcp://fs/tools/x', args: {}, presentation: undefined },
    () => {
      throw new Error('it ran');
    },
  );
  expect(asked).toMatchObject({ verdict: 'deny' });
  expect(told).toEqual(['open before', 'open before', 'components after', 'ask']);
  await connected.close();
  sockets.close();
});
