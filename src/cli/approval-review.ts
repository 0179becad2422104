import { isReasonText, statementBytes } from '../governance/index.ts';
import { recordReview, reviewStatementFor } from '../governor/index.ts';
import { approverName, approverOfKey } from './approvers.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { publicHalfOf, signWithSsh } from './ssh-sign.ts';
import { good } from './text.ts';

interface Options {
  readonly key: string;
  readonly finding: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Close a break-glass approval: another approver than the one who gave it signs what came out of looking at it. Until then
"writ approval list --review" names it.`,
    )
    .argument('<approval>', 'its nonce or its request, as "writ approval list --review" shows them')
    .requiredOption('--finding <text>', 'what came out of it, for the record')
    .requiredOption('--key <file>', 'SSH key to sign with: private, or the .pub of one in an agent')
    .addHelpText(
      'after',
      examples(
        '$ writ approval review 019ac1de-… --finding "justified, see incident 17" --key ~/.ssh/id_ed25519',
      ),
    )
    .action(act(review));
};

async function review(session: Session, named: string, { key, finding }: Options): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  if (!isReasonText(finding)) {
    throw usageError('--finding is malformed', 'one line of at most 1024 printable characters');
  }
  const home = await session.openHome();
  const { state } = readGovernance(home);
  const reviewer = approverOfKey(state, publicHalfOf(surroundings.cwd, key)).subject;
  const waiting = state.approvals.unreviewed.filter(
    ({ statement }) => statement.nonce === named || statement.request === named,
  );
  const [approval, ...others] = waiting;
  if (approval === undefined || others.length > 0) {
    throw failure(
      'not_found',
      approval === undefined ? 'no such approval waits for a review' : 'several do: name one by its nonce',
      'list them with "writ approval list --review"',
    );
  }
  const { nonce, approver } = approval.statement;
  const statement = reviewStatementFor(home, { nonce, reviewer, finding }, nowSeconds);
  const signature = await signWithSsh(session, key, statementBytes(statement));
  const refused = await recordReview(home, statement, signature, {
    actor: session.actor(home),
    atSeconds: nowSeconds,
  });
  if (refused !== undefined) throw denied(refused);
  output.answer({ reviewed: nonce, statement }, () =>
    output.line(good('reviewed '), `the approval of ${approverName(home, approver)}`),
  );
}
