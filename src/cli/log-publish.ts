import { isDenial } from '../denial/index.ts';
import { publishLogs } from '../governor/index.ts';
import { denied, type ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Publish checkpoints that cover everything recorded so far: of the governance log, and of execution logs that no
gateway is writing (a running one publishes by itself). With a witness policy the witnesses are asked first;
what they do not cosign is not published. Run it after a policy was put in place, or when witnesses are back.`,
    )
    .addHelpText('after', examples('$ writ log publish', '$ writ log publish --json'))
    .action(act(publish));
};

async function publish(session: Session): Promise<ExitCode> {
  const { output } = session;
  const home = await session.openHome();
  const logs = await output.during('publishing', () => publishLogs(home));
  if (isDenial(logs)) throw denied(logs);
  const published = logs.every(({ state }) => state !== 'failed');
  output.answer({ published, logs }, () => {
    for (const { log, state, size, reason } of logs) {
      const [first = '', ...evidence] = (reason ?? '').split('\n');
      if (state === 'published') output.line(good('published  '), log, faint(`  ${size} entries`));
      else if (state === 'running') output.line(faint('running    '), log, faint('  publishes by itself'));
      else output.line(bad('held up    '), log, faint(`  ${first}`));
      for (const line of evidence) output.line(faint('    '), line);
    }
  });
  return published ? 0 : 1;
}
