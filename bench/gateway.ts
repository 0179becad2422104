/**
 * What `writ mcp` costs in front of the real filesystem server, against the same server without it, in one run.
 * `node bench/gateway.ts [calls for the memory run] [--daemon]` (default 100000; 0 leaves it out). With `--daemon`, a daemon that
 * runs decides.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, makeGovernedServer } from './governed-server.ts';
import { median, print, ratePerSecond } from './measure.ts';
import { RawClient } from './raw-client.ts';

const ROUNDS = 5;
const CALLS_PER_ROUND = 300;
const COLD_STARTS = 7;
const IN_FLIGHT = 16;
const throughDaemon = process.argv.includes('--daemon');
const [calls = '100000'] = process.argv.slice(2).filter((word) => word !== '--daemon');
const memoryCalls = Number(calls);
const label = throughDaemon ? 'through writ mcp and a daemon' : 'through writ mcp';

const server = await makeGovernedServer([], throughDaemon ? 'running' : 'never');
const { direct, governed, path } = server;

async function coldStartMs([command, args]: Command): Promise<number> {
  const client = new RawClient(command, args);
  await client.initialize();
  // A call is part of it: a gateway that answers `initialize` but isn't ready has not started.
  await client.call('read_text_file', { path });
  const milliseconds = performance.now() - client.startedAt;
  await client.close();
  return milliseconds;
}

async function startDaemon(): Promise<ChildProcess> {
  const writ = join(import.meta.dirname, '..', 'bin', 'writ.js');
  const child = spawn(process.execPath, [writ, '--home', server.world.home.folder, '--json', 'up'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  return child;
}

async function oneAtATimeMs(client: RawClient): Promise<number> {
  const times: number[] = [];
  for (let call = 0; call < CALLS_PER_ROUND; call += 1) {
    const start = performance.now();
    await client.call('read_text_file', { path });
    times.push(performance.now() - start);
  }
  return median(times);
}

function residentMib(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

let daemon: ChildProcess | undefined;
try {
  if (throughDaemon) daemon = await startDaemon();
  const starts = { direct: [] as number[], governed: [] as number[] };
  for (let round = 0; round < COLD_STARTS; round += 1) {
    starts.direct.push(await coldStartMs(direct));
    starts.governed.push(await coldStartMs(governed));
  }

  const clients = { direct: new RawClient(...direct), governed: new RawClient(...governed) };
  await clients.direct.initialize();
  await clients.governed.initialize();
  for (const client of Object.values(clients)) await oneAtATimeMs(client);
  const rounds: { direct: number; governed: number; directRate: number; governedRate: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push({
      direct: await oneAtATimeMs(clients.direct),
      governed: await oneAtATimeMs(clients.governed),
      directRate: await ratePerSecond(IN_FLIGHT, 2000, () => clients.direct.call('read_text_file', { path })),
      governedRate: await ratePerSecond(IN_FLIGHT, 2000, () =>
        clients.governed.call('read_text_file', { path }),
      ),
    });
  }
  const of = (pick: (round: (typeof rounds)[number]) => number): number => median(rounds.map(pick));
  print(
    'read_text_file, direct',
    of((r) => r.direct),
    'ms',
  );
  print(
    `read_text_file, ${label}`,
    of((r) => r.governed),
    'ms',
  );
  print(
    '  more than direct',
    of((r) => r.governed - r.direct),
    'ms',
    throughDaemon ? 'target ≤ 2' : 'target ≤ 1.5',
  );
  print(
    `rate with ${IN_FLIGHT} in flight, direct`,
    of((r) => r.directRate),
    '/s',
  );
  print(
    `rate with ${IN_FLIGHT} in flight, ${label}`,
    of((r) => r.governedRate),
    '/s',
  );
  print(
    '  against direct',
    of((r) => r.governedRate / r.directRate),
    '×',
    'target ≥ 0.5',
  );
  print('cold start to the first answered call, direct', median(starts.direct), 'ms');
  print(`cold start to the first answered call, ${label}`, median(starts.governed), 'ms');
  print('  more than direct', median(starts.governed) - median(starts.direct), 'ms', 'target ≤ 600');

  if (memoryCalls > 0) {
    const { pid } = clients.governed.process;
    const at: string[] = [];
    const step = Math.ceil(memoryCalls / 5);
    for (let done = 0; done < memoryCalls; done += step) {
      await Promise.all(
        Array.from({ length: IN_FLIGHT }, async () => {
          for (let call = 0; call < step / IN_FLIGHT; call += 1) {
            await clients.governed.call('read_text_file', { path });
          }
        }),
      );
      at.push(residentMib(pid).toFixed(0));
    }
    print(
      `resident memory after ${memoryCalls} calls`,
      residentMib(pid),
      'MiB',
      `target < 150, flat: ${at.join(', ')}`,
    );
  }
  for (const client of Object.values(clients)) await client.close();
} finally {
  if (daemon !== undefined) {
    daemon.kill();
    await once(daemon, 'exit');
  }
  server.dispose();
}
