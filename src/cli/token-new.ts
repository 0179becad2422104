import { isDenial } from '../denial/index.ts';
import { ROLES } from '../governance/index.ts';
import { admitCaller, isLocalName } from '../governor/index.ts';
import { newApiToken, tokenCallerId } from '../server/access/index.ts';
import { denied, type ExitCode, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { formatTime, parseDuration } from './duration.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly role: string;
  readonly name: string;
  readonly ttl?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Make a token for the daemon's API over TCP, and admit it on record. It is printed once and kept nowhere: the governance
log has its SHA-256. What its caller does is recorded as done by spiffe://<domain>/caller/<name>. Several tokens of one name
may replace each other; a name has one role. For the role enforcement-point, the name is that of the enforcement point.`,
    )
    .requiredOption('--role <role>', `what it may do: ${ROLES.join(', ')}`)
    .requiredOption('--name <name>', 'whose it is')
    .option('--ttl <duration>', 'how long it is accepted: 8h, 90d', '90d')
    .addHelpText(
      'after',
      examples(
        '$ writ token new --role auditor --name grafana --ttl 365d',
        '$ writ token new --role operator --name deployer --json',
      ),
    )
    .action(act(create));
};

async function create(session: Session, options: Options): Promise<ExitCode> {
  const { output, nowSeconds } = session;
  const role = ROLES.find((known) => known === options.role);
  if (role === undefined) {
    throw usageError(`--role "${options.role}" is none`, `give one of ${ROLES.join(', ')}`);
  }
  if (!isLocalName(options.name)) {
    throw usageError(
      `--name "${options.name}" is no name`,
      'letters, digits and . _ ~ - only, such as "deployer"',
    );
  }
  const home = await session.openHome();
  const caller = tokenCallerId(home.domain, options.name);
  const expSeconds = nowSeconds + parseDuration(options.ttl ?? '90d', '--ttl');
  const { token, hash } = newApiToken();
  const by = { actor: session.actor(home), atSeconds: nowSeconds };
  const refused = await admitCaller(home, { caller, role, hash, expSeconds }, by);
  if (isDenial(refused)) throw denied(refused, 'see "writ token list"');
  output.answer({ token, id: hash, caller, role, expires: expSeconds }, () => {
    output.line(token);
    output.note(good('admitted '), caller, faint(`  ${role}, until ${formatTime(expSeconds)}`));
    output.note(faint('it is shown this once; use it as "Authorization: Bearer …"'));
    output.note(faint(`undo      writ token revoke ${options.name}`));
  });
  return 0;
}
