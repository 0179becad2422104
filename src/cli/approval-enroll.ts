import { isRole } from '../governance/index.ts';
import { enrollApprover } from '../governor/index.ts';
import { approverName, approverSubject } from './approvers.ts';
import { denied, usageError } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import type { Session } from './session.ts';
import { readSshPublicKey } from './ssh-sign.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly role?: readonly string[];
  readonly key: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Say who may approve, and as what. An approver signs with an SSH key (Ed25519, ECDSA P-256, RSA of 2048 bits or more, or a
hardware key "-sk"), which may live in an agent; only its public half is given here. Policies ask for roles with
@approval("operator:2"), artifacts with --approval. Whoever has the role "break-glass" can approve alone in an
emergency. A name stands for spiffe://<domain>/user/<name>.`,
    )
    .argument('<approver>', 'name or URI')
    .requiredOption('--key <file>', 'SSH public key file')
    .option('--role <role>', 'what they may approve as (may be repeated)', collect)
    .addHelpText(
      'after',
      examples(
        '$ ssh-keygen -t ed25519 -f ~/.ssh/writ',
        '$ writ approval enroll ada --role operator --key ~/.ssh/writ.pub',
      ),
    )
    .action(act(enroll));
};

async function enroll(session: Session, approver: string, options: Options): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  const roles = [...new Set(options.role ?? [])];
  if (roles.length === 0)
    throw usageError('what may they approve as?', 'give --role, such as --role operator');
  for (const role of roles) {
    if (!isRole(role))
      throw usageError(`"${role}" is no role`, 'roles have a-z, 0-9, _ and -, such as "operator"');
  }
  const home = await session.openHome();
  const subject = approverSubject(home, approver);
  const key = readSshPublicKey(surroundings.cwd, options.key);
  const refused = await enrollApprover(
    home,
    { subject, roles, key: { kind: 'ssh', key: key.text } },
    { actor: session.actor(home), atSeconds: nowSeconds },
  );
  if (refused !== undefined) {
    throw denied(
      refused,
      `to change the roles of a key, run "writ approval retire ${approverName(home, subject)}" first`,
    );
  }
  output.answer({ subject, roles, thumbprint: key.thumbprint, key: key.text }, () => {
    output.line(good('enrolled '), subject, faint(`  as ${roles.join(', ')}`));
    output.line(faint('thumbprint  '), key.thumbprint);
  });
}
