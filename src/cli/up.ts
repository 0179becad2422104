import { isDenial } from '../denial/index.ts';
import type { Home } from '../governor/index.ts';
import { denied, type ExitCode, failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { mustReadConfig } from './config-check.ts';
import { findDaemon, type RunningDaemon, runningDaemon } from './daemon-status.ts';
import { parseDuration } from './duration.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { openTracesFor } from './traces.ts';
import { version } from './version.ts';
import { withSignals } from './with-signals.ts';

interface Options {
  readonly detach?: boolean;
  readonly idleExit?: string;
}

/** How long another writer of the governance log is waited for, while no daemon answers. */
const LOCK_WAIT_MS = 15_000;
const END_TIMEOUT_MS = 20_000;
const END_STEP_MS = 25;

export const define: Define = (command, act) => {
  command
    .description(
      `Run the governor of this machine: one process that owns the trust domain's logs, decides for every enforcement point
on it, and serves them on a Unix socket that only this user can reach. Gateways use it, and start one where none runs,
which ends by itself 15 minutes after the last of them; one started here stays. Logs JSON lines on stderr. SIGTERM ends it in order: what runs may end, outcomes are recorded, logs are published.`,
    )
    .argument('[action]', 'status: what a running one does; down: end it', (value: string) => value)
    .option('--detach', 'go on in the background, once it is ready')
    .option('--idle-exit <duration>', 'end when nobody has been connected for so long, such as 30m')
    .addHelpText('after', examples('$ writ up --detach', '$ writ up status', '$ writ up down'))
    .action(act(up));
};

async function up(session: Session, action: string | undefined, options: Options): Promise<ExitCode> {
  const home = await session.openHome();
  if (action === 'status') return status(session, home);
  if (action === 'down') return down(session, home);
  if (action !== undefined) {
    throw failure('usage', `there is no "writ up ${action}"`, 'use: writ up, writ up status, writ up down');
  }
  return options.detach === true ? detach(session, home, options) : serve(session, home, options);
}

async function serve(session: Session, home: Home, { idleExit }: Options): Promise<ExitCode> {
  const { output, surroundings } = session;
  const { Daemon, createLogger } = await import('../server/daemon/index.ts');
  const { systemClock } = await import('../governor/index.ts');
  const { config } = mustReadConfig(session, home.configFile);
  const { maxStalenessSeconds, maxLineageDepth, drainSeconds, idleExitSeconds } = config.daemon;
  const logger = createLogger(surroundings.stderr, config.log.level);
  const idleExitMs =
    1000 * (idleExit === undefined ? (idleExitSeconds ?? 0) : parseDuration(idleExit, '--idle-exit'));
  const traces = await openTracesFor(session, home, 'writ', config.telemetry);
  const untilMs = performance.now() + LOCK_WAIT_MS;
  let daemon: Awaited<ReturnType<typeof Daemon.start>> | undefined;
  // Its default would end the process.
  process.on('SIGUSR2', () => {
    if (daemon !== undefined && !isDenial(daemon)) daemon.stay();
  });
  daemon = await Daemon.start({
    ...(traces && { tracer: traces.tracer }),
    home,
    clock: systemClock,
    version: version(),
    logger,
    maxStalenessSeconds,
    maxLineageDepth,
    drainMs: drainSeconds * 1000,
    ...(idleExitMs === 0 ? {} : { idleExitMs }),
    config,
    environment: surroundings.environment,
    owner: session.actor(home),
    // A command that writes is done in a moment; another daemon that starts answers soon, and then is the one.
    waitOn: async () => performance.now() < untilMs && (await findDaemon(home)) === undefined,
  });
  if (isDenial(daemon)) {
    const running = await findDaemon(home);
    throw running === undefined
      ? denied(daemon, 'end what holds the logs, or see "writ doctor"')
      : failure(
          'daemon.running',
          `the daemon of ${home.domain} runs already: process ${running.status.pid}, since ${running.status.startedAt}`,
          running.status.idleExitSeconds === undefined
            ? 'see "writ up status"; "writ up down" ends it'
            : 'it was started on demand: "writ up --detach" makes it stay, "writ up down" ends it',
        );
  }
  const started = daemon;
  const { socketPath, url } = started;
  const answer = { event: 'listening', socket: socketPath, domain: home.domain, pid: process.pid };
  output.answer({ ...answer, ...(url === undefined ? {} : { url }) }, () => {
    output.line(good('listening '), socketPath, faint(`  for ${home.domain}, process ${process.pid}`));
    if (url !== undefined) output.line(good('listening '), url);
  });
  await withSignals((signal) => started.untilEnd(signal));
  await started.close();
  await traces?.close();
  return 0;
}

async function detach(session: Session, home: Home, { idleExit }: Options): Promise<ExitCode> {
  const { output } = session;
  const before = await findDaemon(home);
  const running = before ?? (await start(home, idleExit));
  // One that was started on demand for a gateway does not end any more when that has gone.
  if (before?.status.idleExitSeconds !== undefined && idleExit === undefined) {
    process.kill(before.status.pid, 'SIGUSR2');
  }
  output.answer({ ...running.status, socket: running.socket, started: before === undefined }, () =>
    output.line(
      good(before === undefined ? 'started ' : 'running '),
      running.socket,
      faint(`  for ${home.domain}, process ${running.status.pid}`),
    ),
  );
  return 0;
}

async function start(home: Home, idleExit: string | undefined): Promise<RunningDaemon> {
  const { startDaemon } = await import('../governor/index.ts');
  const idleExitSeconds = idleExit === undefined ? undefined : parseDuration(idleExit, '--idle-exit');
  try {
    return runningDaemon(
      await startDaemon(home, { ...(idleExitSeconds === undefined ? {} : { idleExitSeconds }) }),
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    throw failure('daemon.failed', reason, 'run "writ up" here to see why');
  }
}

async function status({ output }: Session, home: Home): Promise<ExitCode> {
  const running = await findDaemon(home);
  if (running === undefined) {
    output.answer({ running: false, domain: home.domain }, () =>
      output.line(`no daemon runs for ${home.domain}`, faint('  "writ up --detach" starts one')),
    );
    return 1;
  }
  const { status: now, socket } = running;
  output.answer({ socket, ...now, running: true, executions: now.running }, () => {
    output.line(now.ready ? good('ready  ') : 'not ready  ', socket, faint(`  process ${now.pid}`));
    for (const problem of now.problems) output.line(faint('        '), problem);
    output.line(faint('since   '), now.startedAt, faint(`  version ${now.version}`));
    output.line(
      faint('epoch   '),
      `${now.governance.size}`,
      faint(`  ${now.governance.ageSeconds.toFixed(1)} s old`),
    );
    output.line(faint('runs    '), `${now.running} executions in ${now.sessions} sessions`);
  });
  return now.ready ? 0 : 1;
}

async function down({ output }: Session, home: Home): Promise<ExitCode> {
  const running = await findDaemon(home);
  if (running === undefined) {
    output.answer({ running: false }, () => output.line(`no daemon runs for ${home.domain}`));
    return 0;
  }
  const { pid } = running.status;
  process.kill(pid, 'SIGTERM');
  const until = performance.now() + END_TIMEOUT_MS;
  while (performance.now() < until) {
    if (!isAlive(pid)) {
      output.answer({ running: false, ended: pid }, () => output.line(good('ended '), `process ${pid}`));
      return 0;
    }
    await new Promise((resolve) => setTimeout(resolve, END_STEP_MS));
  }
  throw failure(
    'daemon.failed',
    `process ${pid} has not ended yet`,
    'what runs may still be ending; try again',
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
