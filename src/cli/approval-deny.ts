import { addSignOptions } from './approval-grant.ts';
import { type SignOptions, signOff } from './approval-sign.ts';
import { type Define, examples } from './command.ts';

export const define: Define = (command, act) => {
  addSignOptions(
    command
      .description(
        `Reject a request: sign that exactly this may not run under this artifact and policy. One rejection outweighs every
approval, also earlier and later ones, and is never lifted: issue another artifact instead.`,
      )
      .argument('<request>', 'id, as "writ approval list" shows it'),
  )
    .addHelpText(
      'after',
      examples('$ writ approval deny 019ac1de-… --key ~/.ssh/id_ed25519 --reason "wrong branch"'),
    )
    .action(act((session, id: string, options: SignOptions) => signOff(session, id, 'reject', options)));
};
