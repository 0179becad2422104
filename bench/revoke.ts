/**
 * How soon a revocation by another process stops what runs: from its return to the abort that the enforcement point gets,
 * with 1,000 running executions. `node bench/revoke.ts [executions]` (default 1000).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { deriveToken, readToken } from '../src/artifact/index.ts';
import type { OpenExecution, OpenedGovernor } from '../src/governor/index.ts';
import { must, nowSeconds, READ, TestDomain } from '../test/support/trust-domain.ts';
import { median, print } from './measure.ts';

const ROUNDS = 7;
const executions = Number(process.argv[2] ?? 1000);
const writ = join(import.meta.dirname, '..', 'bin', 'writ.js');

const wallMs = (): number => performance.timeOrigin + performance.now();
const jtiOf = (token: string): string => must(readToken(token)).jti;

const domain = await TestDomain.create();
const opened: OpenedGovernor = await domain.open();

/** Executions of as many artifacts, all derived from one root: a pass over them asks each question by itself. */
async function beginAll(root: string): Promise<OpenExecution[]> {
  const begun = Array.from({ length: executions }, (_, at) => {
    const leaf = must(
      deriveToken({
        parent: root,
        signer: domain.agent,
        holder: domain.agent.publicKey,
        tools: { [READ]: {} },
        iatSeconds: nowSeconds(),
      }),
    );
    const args = { path: `/data/file-${at}.txt` };
    return opened.governor.begin(domain.call([root, leaf], { audience: opened.audience, tool: READ, args }));
  });
  return (await Promise.all(begun)).map((outcome) => {
    if (outcome.verdict === 'deny') throw new Error(`${outcome.denial.code}: ${outcome.denial.detail}`);
    return outcome;
  });
}

/** When each was told to stop. */
function stops(running: readonly OpenExecution[]): Promise<number[]> {
  return Promise.all(
    running.map(
      ({ signal }) =>
        new Promise<number>((resolve) => {
          signal.addEventListener('abort', () => resolve(wallMs()), { once: true });
        }),
    ),
  );
}

/** A process that revokes tokens by the function behind the command, and says when each revocation had returned. */
const revoker = spawn(process.execPath, [join(import.meta.dirname, 'revoke-child.ts'), domain.home.folder], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const answers = createInterface({ input: revoker.stdout })[Symbol.asyncIterator]();

async function revokedAt(jti: string): Promise<number> {
  revoker.stdin.write(`${jti}\n`);
  const { value } = await answers.next();
  return Number(value);
}

/** The real command, from its start on; when its process had ended. */
async function commandEndedAt(jti: string): Promise<number> {
  const command = ['artifact', 'revoke', '--home', domain.home.folder, '--token', jti, '--reason', 'bench'];
  const child = spawn(process.execPath, [writ, ...command], { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`writ artifact revoke exited with ${code}`);
  return wallMs();
}

interface Round {
  readonly medianMs: number;
  readonly lastMs: number;
  readonly turnMs: number;
}

async function measureRound(revoke: (jti: string) => Promise<number>): Promise<Round> {
  const root = domain.issue({ maxDepth: 1 });
  const running = await beginAll(root);
  const turns = monitorEventLoopDelay({ resolution: 1 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  turns.enable();
  const [returned, stopped] = await Promise.all([revoke(jtiOf(root)), stops(running)]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  turns.disable();
  for (const execution of running) execution.conclude({ status: 'unknown' });
  await opened.governor.settle();
  const delays = stopped.map((at) => at - returned);
  return { medianMs: median(delays), lastMs: Math.max(...delays), turnMs: turns.max / 1e6 };
}

async function report(name: string, revoke: (jti: string) => Promise<number>): Promise<void> {
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measureRound(revoke));
  print(name, median(rounds.map(({ medianMs }) => medianMs)), 'ms', 'target < 50');
  print('  the last of them', median(rounds.map(({ lastMs }) => lastMs)), 'ms');
  print('  longest turn of the event loop meanwhile', median(rounds.map(({ turnMs }) => turnMs)), 'ms');
}

try {
  await report(`of ${executions}, from the return of the function`, revokedAt);
  // Below zero: they were told before the command had ended.
  await report(`of ${executions}, from the end of writ artifact revoke`, commandEndedAt);
} finally {
  revoker.stdin.end();
  await opened.close();
  domain.dispose();
}
