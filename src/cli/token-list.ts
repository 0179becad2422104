import type { ApiToken } from '../governance/index.ts';
import { type Define, examples } from './command.ts';
import { formatTime } from './duration.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { bad, faint, good, type Part } from './text.ts';

interface Options {
  readonly all?: boolean;
}

export const define: Define = (command, act) => {
  command
    .description("Show the tokens that the daemon's API accepts: whose they are, in which role, until when.")
    .option('--all', 'also those that have expired or were revoked')
    .addHelpText('after', examples('$ writ token list', '$ writ token list --all --json'))
    .action(act(list));
};

async function list(session: Session, { all = false }: Options): Promise<void> {
  const { output, nowSeconds } = session;
  const home = await session.openHome();
  const tokens = readGovernance(home)
    .state.apiTokens.map((token) => ({ ...token, state: stateOf(token, nowSeconds) }))
    .filter(({ state }) => all || state === 'accepted');
  const answer = tokens.map(({ hash: id, caller, role, state, admittedAtSeconds, expSeconds }) => ({
    ...{ id, caller, role, state, admitted: admittedAtSeconds, expires: expSeconds ?? null },
  }));
  output.answer({ tokens: answer }, () => {
    if (tokens.length === 0) output.note('no token is accepted: make one with "writ token new"');
    else {
      output.table(
        ['TOKEN', 'CALLER', 'ROLE', 'STATE', 'UNTIL'],
        tokens.map(({ hash, caller, role, state, expSeconds }) => [
          ...[hash.slice(0, 12), caller, role, paint(state)],
          faint(expSeconds === undefined ? '–' : formatTime(expSeconds)),
        ]),
      );
    }
  });
}

function stateOf(
  { dismissed, expSeconds }: ApiToken,
  nowSeconds: number,
): 'accepted' | 'revoked' | 'expired' {
  if (dismissed) return 'revoked';
  return expSeconds !== undefined && nowSeconds >= expSeconds ? 'expired' : 'accepted';
}

function paint(state: string): Part {
  return state === 'accepted' ? good(state) : bad(state);
}
