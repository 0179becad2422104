import { constants } from 'node:os';
import { type ExitCode, failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { findDaemon } from './daemon-status.ts';
import type { Session } from './session.ts';
import { withSignals } from './with-signals.ts';

const SIGNALLED = 128;

export const define: Define = (command, act) => {
  command
    .description(
      `Run a program that writ.yaml names under "supervised", started by the daemon and not from here. The daemon measures it,
starts it with an environment of its own making, and gives it a connection that nobody else has: what is asked for over
it counts as measured by a supervisor, for artifacts that demand --environment assurance=supervisor. Standard streams
and the exit code are the program's; it ends with this command. Linux alone; the daemon has to run ("writ up --detach").`,
    )
    .argument('<name>', 'of the program, in writ.yaml')
    .addHelpText(
      'after',
      examples(
        '$ writ supervise billing-agent',
        '$ writ artifact issue --agent billing --tool sdk://billing/pay --ttl 8h --environment assurance=supervisor',
      ),
    )
    .action(act(supervise));
};

async function supervise(session: Session, name: string): Promise<ExitCode> {
  const home = await session.openHome();
  const { isLocalName, runSupervised } = await import('../governor/index.ts');
  const unknown = () =>
    failure('not_found', `no program ${name} is configured`, 'name it in writ.yaml, under "supervised"');
  if (!isLocalName(name)) throw unknown();
  const daemon = await findDaemon(home);
  if (daemon === undefined) {
    throw failure('daemon.missing', 'no daemon runs here', 'start one with "writ up --detach"');
  }
  const { stdin, stdout, stderr } = session.surroundings;
  const end = await withSignals((signal) =>
    runSupervised(daemon.socket, name, { stdin, stdout, stderr }, signal),
  );
  if ('refused' in end)
    throw failure('supervised.not_started', `${name}: ${end.refused}`, `see "writ config show"`);
  if (end.code !== null) return end.code;
  const number = Object.entries(constants.signals).find(([signal]) => signal === end.signal)?.[1] ?? 0;
  return SIGNALLED + number;
}
