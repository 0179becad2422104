/**
 * What running a program confined costs over the same bubblewrap by hand (what a person would write; and the very command
 * line that Writ starts, with all that it mounts, copies and limits, but nobody who decides), what a network adds, in this process and by the command line with a
 * warm daemon; and how soon a revocation has killed everything. `node bench/exec.ts [rounds]` (default 15). Needs bubblewrap.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createPresenter, readToken } from '../src/artifact/index.ts';
import { isDenial } from '../src/denial/index.ts';
import {
  accountOf,
  DEFAULT_ENVIRONMENT,
  DEFAULT_LIMITS,
  execPointName,
  execTool,
  findConfiner,
  readProgram,
  runCanaries,
  runExec,
} from '../src/enforce/exec/index.ts';
import { confinementComponents } from '../src/environment/index.ts';
import { openGovernor, publishPolicy, revoke } from '../src/governor/index.ts';
import { buildPolicyBundle } from '../src/policy/index.ts';
import { setup, teardown } from '../test/support/built-package.ts';
import { must, nowSeconds, TestDomain } from '../test/support/trust-domain.ts';
import { median, print } from './measure.ts';
import { sameByHand } from './same-by-hand.ts';

const rounds = Number(process.argv[2] ?? 15);
// As it is published: bundled.
await setup();
const writ = must(process.env.WRIT_TEST_PROGRAM ?? '');
const confiner = must(findConfiner());
const shell = must(readProgram('/bin/sh'));
const tool = execTool('shell', shell, 'read');
const { account } = confiner;

/** What a person would write to confine as much with bubblewrap alone. */
const BY_HAND = [
  ...[
    '--unshare-all',
    '--unshare-user',
    '--disable-userns',
    '--cap-drop',
    'ALL',
    '--new-session',
    '--die-with-parent',
  ],
  ...['--clearenv', ...[...DEFAULT_ENVIRONMENT].flatMap(([name, value]) => ['--setenv', name, value])],
  ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
  ...['--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
  ...['--', shell.path, '-c', ':'],
];

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const byHand = (): Promise<number> =>
  timed(() =>
    once(
      spawn(confiner.bubblewrap.path, BY_HAND, {
        ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
        env: {},
        cwd: '/',
        stdio: 'ignore',
      }),
      'exit',
    ),
  );

const domain = await TestDomain.create();
const bundle = buildPolicyBundle({
  id: 'default',
  policies: [{ path: 'a.cedar', text: 'permit (principal, action, resource);' }],
  tools: [tool],
});
if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
must(await publishPolicy(domain.home, bundle, { actor: 'bench', atSeconds: nowSeconds() }));
const { states } = await runCanaries(confiner);
const name = execPointName('shell');
const opened = must(
  await openGovernor({ home: domain.home, name, components: confinementComponents(states) }),
);
opened.setTools([tool]);
const issue = (): string =>
  domain.issue({ tools: { [tool.id]: {} }, audiences: [domain.home.audience(name)] });
const granted = issue();

interface Running {
  readonly token?: string;
  readonly onOutput?: () => void;
  readonly network?: readonly string[];
}

async function run(
  script: string,
  { token = granted, onOutput, network = [] }: Running = {},
): Promise<boolean> {
  const outcome = await runExec(
    {
      governor: opened.governor,
      presenter: createPresenter({ chain: [token], signer: domain.agent, audience: opened.audience }),
      confiner,
      hidden: [domain.home.folder],
      cwd: '/',
    },
    {
      tool,
      ask: {
        program: shell,
        argv: ['-c', script],
        environment: new Map(),
        read: [],
        write: [],
        network,
        limits: DEFAULT_LIMITS,
        account: accountOf(confiner),
      },
      streams: ['ignore', onOutput === undefined ? 'ignore' : 'pipe', 'ignore'],
      onStart: ({ pipes }) => pipes[1]?.once('data', () => onOutput?.()),
    },
  );
  return outcome.verdict === 'permit';
}

const same = sameByHand(confiner, shell, ['-c', ':']);
const hand: number[] = [];
const sameHand: number[] = [];
const governed: number[] = [];
const networked: number[] = [];
const canaries: number[] = [];
const permitted = async (network: readonly string[] = []): Promise<void> => {
  if (!(await run(':', { network }))) throw new Error('denied');
};
for (let round = 0; round < rounds; round += 1) {
  hand.push(await byHand());
  sameHand.push(await timed(() => same.run()));
  governed.push(await timed(() => permitted()));
  networked.push(await timed(() => permitted(['example.com:443'])));
  canaries.push(await timed(() => runCanaries(confiner)));
}
same.remove();
const adds = (base: readonly number[]): string => (median(governed) - median(base)).toFixed(1);
print('bubblewrap by hand, as a person would', median(hand), 'ms');
print('the same command line by hand', median(sameHand), 'ms');
print('runExec, governor open', median(governed), 'ms', `adds ${adds(sameHand)} ms; target 15`);
print('against what a person would write', median(governed) / median(hand), 'x', `adds ${adds(hand)} ms`);
print(
  'runExec with a network',
  median(networked),
  'ms',
  `a network adds ${(median(networked) - median(governed)).toFixed(1)} ms`,
);
print('canaries of every layer', median(canaries), 'ms');

const deaths: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  const token = issue();
  const started = Promise.withResolvers<void>();
  const running = run('trap "" TERM; (setsid sleep 60 &); echo on; sleep 60', {
    token,
    onOutput: started.resolve,
  });
  await started.promise;
  const { jti } = must(readToken(token));
  const revoked = await revoke(
    domain.home,
    { handle: 'token', value: jti },
    { actor: 'bench', atSeconds: nowSeconds() },
  );
  if (isDenial(revoked)) throw new Error(revoked.detail);
  deaths.push(await timed(() => running));
}
print('revoked to all of it dead', median(deaths), 'ms', 'target 50');
await opened.close();

const cli = (...line: readonly string[]): number => {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, [writ, '--home', domain.home.folder, ...line], {
    stdio: 'ignore',
  });
  if (status !== 0) throw new Error(`writ ${line[0]}: ${status}`);
  return performance.now() - start;
};
cli('exec', 'adopt', 'noop', '--effects', 'read', '--', '/bin/true');
cli('up', '--detach');
const commands: number[] = [];
const starts: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  starts.push(await timed(() => once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')));
  commands.push(cli('exec', '--', 'noop'));
}
cli('up', 'down');
print('node -e 0', median(starts), 'ms');
print(
  'writ exec -- noop, daemon warm',
  median(commands),
  'ms',
  `adds ${(median(commands) - median(hand)).toFixed(0)} ms`,
);
domain.dispose();
teardown();
