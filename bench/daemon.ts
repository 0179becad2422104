/**
 * A decision asked for over the daemon's Unix socket against one made in this process: alone, and with 64 in flight. The
 * daemon is the real program, in a process of its own. `node bench/daemon.ts`.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connectGovernor } from '../src/governor/index.ts';
import { must, READ, TestDomain } from '../test/support/trust-domain.ts';
import { median, print, ratePerSecond } from './measure.ts';

const ROUNDS = 5;
const ALONE = 300;
const IN_FLIGHT = 64;
const PROGRAM = fileURLToPath(new URL('../bin/writ.js', import.meta.url));

const domain = await TestDomain.create();
// Before the daemon holds the governance log: its own execution log is enrolled in it.
const local = await domain.open();
const daemon = spawn(process.execPath, [PROGRAM, '--json', '--home', domain.home.folder, 'up'], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
try {
  await new Promise<void>((resolve, reject) => {
    daemon.stdout.once('data', () => resolve());
    daemon.once('exit', (code) => reject(new Error(`the daemon exited with ${code}`)));
  });
  const remote = must(await connectGovernor({ home: domain.home, name: 'web', components: [] }));
  if (remote === undefined) throw new Error('no daemon');

  type Side = { governor: Pick<typeof local.governor, 'run' | 'settle'>; audience: string };
  const actions = ({ audience }: Side, count: number) => {
    const token = domain.issue({ audiences: [audience] });
    return Array.from({ length: count }, (_, at) =>
      domain.call([token], { audience, tool: READ, args: { path: `/data/file-${at}.txt` } }),
    );
  };
  const run = async ({ governor }: Side, action: ReturnType<typeof actions>[number] | undefined) => {
    if (action === undefined) throw new Error('too few actions were prepared');
    const outcome = await governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
    if (outcome.verdict === 'deny') throw new Error(`${outcome.denial.code}: ${outcome.denial.detail}`);
  };
  const alone = async (side: Side): Promise<number> => {
    const times: number[] = [];
    for (const action of actions(side, ALONE)) {
      const start = performance.now();
      await run(side, action);
      times.push((performance.now() - start) * 1000);
      await side.governor.settle();
    }
    return median(times);
  };
  const rate = async (side: Side): Promise<number> => {
    const queue = actions(side, 8_000);
    const perSecond = await ratePerSecond(IN_FLIGHT, 1000, (at) => run(side, queue[at]));
    await side.governor.settle();
    return perSecond;
  };

  const rounds: { local: number; remote: number; localRate: number; remoteRate: number }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const measured = {
      local: await alone(local),
      remote: await alone(remote),
      localRate: await rate(local),
      remoteRate: await rate(remote),
    };
    // The first round warms up.
    if (round > 0) rounds.push(measured);
  }
  const of = (pick: (round: (typeof rounds)[number]) => number): number => median(rounds.map(pick));
  const rows: readonly [string, (round: (typeof rounds)[number]) => number, string, string?][] = [
    ['governor.run in this process, durable, alone', (r) => r.local, 'µs'],
    ['governor.run over the socket, durable, alone', (r) => r.remote, 'µs'],
    ['  against in process', (r) => r.remote / r.local, '×', 'target ≤ 2'],
    [`governor.run in this process, ${IN_FLIGHT} in flight`, (r) => r.localRate, '/s'],
    [`governor.run over the socket, ${IN_FLIGHT} in flight`, (r) => r.remoteRate, '/s'],
    ['  against in process', (r) => r.remoteRate / r.localRate, '×', 'target ≥ 0.6'],
  ];
  for (const [name, pick, unit, target] of rows) print(name, of(pick), unit, target);
  await remote.close();
} finally {
  daemon.kill();
  await new Promise((resolve) => daemon.once('exit', resolve));
  await local.close();
  domain.dispose();
}
