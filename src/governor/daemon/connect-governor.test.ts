import { cpSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { TestDomain } from '../../../test/support/trust-domain.ts';
import { isDenial } from '../../denial/index.ts';
import { Home } from '../home.ts';
import { programVersion } from '../program.ts';
import { connectGovernor } from './connect-governor.ts';

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
