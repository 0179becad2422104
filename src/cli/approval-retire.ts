import { retireApprover } from '../governor/index.ts';
import { approverSubject } from './approvers.ts';
import { denied } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';
import { readSshPublicKey } from './ssh-sign.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly key?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Retire an approver, or one key of theirs. From then on nothing they consented to counts, also not what has not been used
yet. What they rejected stays rejected.`,
    )
    .argument('<approver>', 'name or URI')
    .option('--key <file>', 'this SSH public key alone (default: all of them)')
    .addHelpText('after', examples('$ writ approval retire ada', '$ writ approval retire ada --key old.pub'))
    .action(act(retire));
};

async function retire(session: Session, approver: string, { key }: Options): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  const home = await session.openHome();
  const subject = approverSubject(home, approver);
  const thumbprint = key === undefined ? undefined : readSshPublicKey(surroundings.cwd, key).thumbprint;
  const refused = await retireApprover(
    home,
    { subject, ...(thumbprint === undefined ? {} : { thumbprint }) },
    { actor: session.actor(home), atSeconds: nowSeconds },
  );
  if (refused !== undefined) throw denied(refused, 'list approvers with "writ approval list --approvers"');
  output.answer({ subject, thumbprint: thumbprint ?? null }, () => {
    output.line(good('retired '), subject);
    output.line(faint('what they consented to, and was not used yet, counts no longer'));
  });
}
