import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { must } from '../../../test/support/trust-domain.ts';
import { SupervisedProcess, systemClock } from '../../governor/index.ts';
import { relayStreams } from './relay-streams.ts';

const START = { clock: systemClock, environment: {}, socketPath: '/nowhere' };

test.runIf(process.platform === 'linux').each([
  ['ended by itself', 'exit 0'],
  ['is ended with the connection', 'sleep 30'],
])('a program that %s keeps no pipe open by what it left behind', async (_how, then) => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-relay-'));
  const line = `read it; sleep 30 & echo $!; ${then}`;
  const program = {
    name: 'sh',
    command: '/bin/sh',
    args: ['-c', line],
    cwd: folder,
    environment: {},
    files: [],
  };
  const supervised = must(await SupervisedProcess.start(program, START));
  const { child, connection } = supervised;
  // As whoever serves its connection does.
  child.once('exit', () => connection.destroy());
  const closed = new Promise((resolve) => child.once('close', resolve));
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  server.on('connection', (socket) => relayStreams(socket, supervised));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('no port');
  const client = new WebSocket(`ws://127.0.0.1:${address.port}`);
  client.on('open', () => client.send(Buffer.concat([Buffer.of(0), Buffer.from('go\n')])));
  const left = await new Promise<number>((resolve) =>
    client.on('message', (data: Buffer) => resolve(Number(data.subarray(1)))),
  );
  expect(left).toBeGreaterThan(1);
  client.terminate();
  await closed;
  // It was not waited for: it still runs.
  expect(process.kill(left, 'SIGKILL')).toBe(true);
  server.close();
  rmSync(folder, { recursive: true });
});
