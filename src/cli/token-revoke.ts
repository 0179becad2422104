import { isDenial } from '../denial/index.ts';
import { dismissCaller, isLocalName } from '../governor/index.ts';
import { tokenCallerId } from '../server/access/index.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly token?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      "Accept a caller's tokens, or one of them, no longer. It is on record, and counts with the next request.",
    )
    .argument('<name>', 'whose they are, as "writ token new --name" had it')
    .option('--token <id>', 'only this one, as "writ token list" shows it')
    .addHelpText(
      'after',
      examples('$ writ token revoke deployer', '$ writ token revoke deployer --token 3q2-7wAB'),
    )
    .action(act(revoke));
};

async function revoke(session: Session, name: string, { token }: Options): Promise<void> {
  const { output, nowSeconds } = session;
  if (!isLocalName(name)) throw usageError(`"${name}" is no name`);
  const home = await session.openHome();
  const caller = tokenCallerId(home.domain, name);
  const standing = readGovernance(home).state.apiTokens.filter(
    (one) => one.caller === caller && !one.dismissed && one.hash.startsWith(token ?? ''),
  );
  const [first, ...others] = standing;
  if (first === undefined) throw failure('not_found', `${caller} has no such token`, 'see "writ token list"');
  if (token !== undefined && others.length > 0) throw usageError(`several tokens begin with ${token}`);
  const by = { actor: session.actor(home), atSeconds: nowSeconds };
  const dismissed = { caller, ...(token === undefined ? {} : { hash: first.hash }) };
  const refused = await dismissCaller(home, dismissed, by);
  if (isDenial(refused)) throw denied(refused);
  const ids = standing.map(({ hash }) => hash);
  output.answer({ caller, revoked: ids }, () => {
    output.line(good('revoked '), caller, faint(`  ${ids.map((id) => id.slice(0, 12)).join(', ')}`));
  });
}
