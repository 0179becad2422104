import { isDenial } from '../denial/index.ts';
import { appendGovernance } from '../governor/index.ts';
import { denied } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';
import { good } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Retire an enrolled environment. Quotes of its TPM count no longer from the next decision on, and what runs on them is
stopped. An environment that must not be used any more is revoked as well: writ artifact revoke environment sha256:….`,
    )
    .argument('<name>')
    .addHelpText('after', examples('$ writ env retire build-host'))
    .action(act(retire));
};

async function retire(session: Session, name: string): Promise<void> {
  const home = await session.openHome();
  const event = {
    event: 'environment.retired',
    at: session.nowSeconds,
    actor: session.actor(home),
    name,
  } as const;
  const epoch = await appendGovernance(home, [event]);
  if (isDenial(epoch)) throw denied(epoch, 'see "writ env show"');
  session.output.answer({ name, retired: true }, () => session.output.line(good('retired '), name));
}
