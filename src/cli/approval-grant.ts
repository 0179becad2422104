import type { Command } from 'commander';
import { type SignOptions, signOff } from './approval-sign.ts';
import { type Define, examples } from './command.ts';

export const define: Define = (command, act) => {
  addSignOptions(
    command
      .description(
        `Approve a request: sign, with your SSH key, that exactly these arguments may run once, under this artifact and this
policy, at this enforcement point. Enough approvers, each another person than who asks, let the caller's next try pass. A
public key with --key signs through your ssh-agent.`,
      )
      .argument('<request>', 'id, as "writ approval list" shows it'),
  )
    .option('--for <duration>', 'how long the approval holds (default: 15m)')
    .option('--break-glass', 'approve alone, in an emergency: minutes long, with a reason, and reviewed')
    .option('--accept-hidden', 'approve although redaction rules hide part of the arguments')
    .addHelpText(
      'after',
      examples(
        '$ writ approval grant 019ac1de-… --key ~/.ssh/id_ed25519',
        '$ writ approval grant 019ac1de-… --key ~/.ssh/id_ed25519 --break-glass --reason "incident 17"',
        '$ writ approval grant 019ac1de-… --approver ada --out statement.json',
        '$ writ approval grant 019ac1de-… --statement statement.json --signature statement.json.sig',
      ),
    )
    .action(act((session, id: string, options: SignOptions) => signOff(session, id, 'approve', options)));
};

/** What approving and denying have in common. */
export function addSignOptions(command: Command): Command {
  return command
    .option('--key <file>', 'SSH key to sign with: private, or the .pub of one in an agent')
    .option('--approver <name>', 'who signs (default: whose key it is)')
    .option('--as <role>', 'in which role, where there are several')
    .option('--reason <text>', 'why, for the record: it stands in clear')
    .option('--yes', 'do not ask')
    .option('--out <file>', 'write the statement to sign elsewhere, and record nothing')
    .option('--statement <file>', 'a statement that was signed elsewhere')
    .option('--signature <file>', 'its signature, from "ssh-keygen -Y sign -n writ-approval@v1"');
}
