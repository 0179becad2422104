/**
 * What a decision costs over HTTP, as AuthZEN asks for it, against the same decision in process. `node bench/pdp.ts`.
 * The daemon runs in a process of its own; client and daemon share the cores, so the client signs nothing while it is timed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProof } from '../src/artifact/index.ts';
import type { JsonObject } from '../src/codec/index.ts';
import type { Action } from '../src/decision/index.ts';
import { actionOfEvaluation, callOfEvaluation, parseEvaluation } from '../src/enforce/http/index.ts';
import { openGovernor, publishPolicy } from '../src/governor/index.ts';
import { toolDefinitionDigest } from '../src/policy/index.ts';
import { TODO_TOOLS, todoBundle } from '../test/support/todo-scenario.ts';
import { must, nowSeconds, TestDomain } from '../test/support/trust-domain.ts';
import { median, print, ratePerSecond } from './measure.ts';
import { openRawHttp } from './raw-http.ts';

const ROUNDS = 5;
const IN_FLIGHT = 64;
const ROUND_MS = 1000;
const READ_TODOS = 'authzen://todo/can_read_todos';

const domain = await TestDomain.create();
must(await publishPolicy(domain.home, todoBundle(), { actor: 'bench', atSeconds: nowSeconds() }));
const token = domain.issue({
  tools: { [READ_TODOS]: {} },
  audiences: [domain.home.audience('authzen'), domain.home.audience('bench')],
});
let number = 0;

/** Per second, and microseconds of processor that each took in the process that decides. */
interface Rates {
  readonly run: number;
  readonly runCpu: number;
  readonly unix: number;
  readonly unixCpu: number;
  readonly batch: number;
  readonly batchCpu: number;
}

/** Measures a rate and what it takes of a process: on a crowded machine the latter is what can be compared. */
async function rateOf(
  pid: number | undefined,
  inFlight: number,
  work: (at: number) => Promise<void>,
): Promise<[rate: number, cpuUs: number]> {
  let done = 0;
  const before = processorMicroseconds(pid);
  const rate = await ratePerSecond(inFlight, ROUND_MS, async (at) => {
    await work(at);
    done += 1;
  });
  return [rate, (processorMicroseconds(pid) - before) / done];
}

/** User and system time of all threads (proc(5)): NaN where there is no procfs. Clock ticks are 10 ms on Linux. */
function processorMicroseconds(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid ?? 'self'}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return Number.NaN;
  }
}

function request(audience: string): JsonObject {
  number += 1;
  const asked = {
    subject: { type: 'user', id: 'u-1001' },
    action: { name: 'can_read_todos' },
    resource: { type: 'todo', id: `todo-${number}` },
  };
  const call = callOfEvaluation(must(parseEvaluation(asked)));
  const proof = createProof({
    leaf: token,
    signer: domain.agent,
    ...call,
    iatSeconds: nowSeconds(),
    audience: domain.home.audience(audience),
  });
  return { ...asked, context: { writ_presentation: { aat_chain: [token], aat_pop: proof } } };
}

function inProcess(): Action {
  const definition = TODO_TOOLS.find(({ id }) => id === READ_TODOS)?.definition ?? {};
  return {
    ...actionOfEvaluation(must(parseEvaluation(request('bench')))),
    toolDigest: toolDefinitionDigest(definition),
  };
}

const program = join(import.meta.dirname, '..', 'bin', 'writ.js');
const daemon = spawn(process.execPath, [program, '--home', domain.home.folder, '--json', 'up'], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
try {
  await once(daemon.stdout, 'data');
  const socket = join(domain.home.folder, 'run', 'writ.sock');
  const rates: Rates[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const opened = must(await openGovernor({ home: domain.home, name: 'bench', components: [] }));
    const actions = Array.from({ length: 9000 }, inProcess);
    const [run, runCpu] = await rateOf(undefined, IN_FLIGHT, async (at) => {
      const effect = async () => ({ status: 'unknown', value: 1 }) as const;
      const outcome = await opened.governor.run(actions[at] as Action, effect);
      if (outcome.verdict === 'deny') throw new Error(outcome.denial.code);
    });
    await opened.close();
    const bodies = Array.from({ length: 9000 }, () => JSON.stringify(request('authzen')));
    const connections = await Promise.all(Array.from({ length: IN_FLIGHT }, () => openRawHttp(socket)));
    let free = connections.slice();
    const [unix, unixCpu] = await rateOf(daemon.pid, IN_FLIGHT, async (at) => {
      const connection = free.pop() as (typeof connections)[number];
      const answer = await connection.post('/access/v1/evaluation', bodies[at] as string);
      free.push(connection);
      if (!answer.includes('"decision":true')) throw new Error(answer);
    });
    const batches = Array.from({ length: 120 }, () =>
      JSON.stringify({ evaluations: Array.from({ length: IN_FLIGHT }, () => request('authzen')) }),
    );
    free = connections.slice();
    const [batch, batchCpu] = await rateOf(daemon.pid, 1, async (at) => {
      const answer = await (connections[0] as (typeof connections)[number]).post(
        '/access/v1/evaluations',
        batches[at] as string,
      );
      if (answer.includes('"decision":false')) throw new Error(answer);
    });
    for (const connection of connections) connection.close();
    if (round > 0)
      rates.push({ run, runCpu, unix, unixCpu, batch: batch * IN_FLIGHT, batchCpu: batchCpu / IN_FLIGHT });
  }
  const of = (pick: (rate: Rates) => number): number => median(rates.map(pick));
  print(
    `governor.run in process, durable, ${IN_FLIGHT} in flight`,
    of((r) => r.run),
    '/s',
  );
  print(
    `AuthZEN evaluation, Unix socket, ${IN_FLIGHT} in flight`,
    of((r) => r.unix),
    '/s',
    'target ≥ 5,000',
  );
  print(
    '  against in process',
    of((r) => r.unix / r.run),
    '×',
    'target ≥ 0.6',
  );
  print(
    `AuthZEN evaluations, ${IN_FLIGHT} in one request, 1 in flight`,
    of((r) => r.batch),
    '/s',
  );
  print(
    'processor time of one decision: in process',
    of((r) => r.runCpu),
    'µs',
  );
  print(
    '  of the daemon, one evaluation a request',
    of((r) => r.unixCpu),
    'µs',
  );
  print(
    `  of the daemon, ${IN_FLIGHT} evaluations a request`,
    of((r) => r.batchCpu),
    'µs',
  );
} finally {
  daemon.kill('SIGTERM');
  await once(daemon, 'exit');
  domain.dispose();
}
