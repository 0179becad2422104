import { publishPolicy } from '../governor/index.ts';
import { denied, type ExitCode, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readGovernance } from './governance.ts';
import { describeBundle, tellProblems } from './policy-check.ts';
import { bundleOfFolder, isBundle } from './policy-folder.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly id?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Make a policy folder the active policy of the trust domain: validated, addressed by its digest, and named in the
governance log. Running gateways follow at once.`,
    )
    .argument('[folder]', "the policy folder (default: the domain's own, .writ/policy)")
    .option('--id <id>', 'name of the policy (default: the active one, else the domain)')
    .addHelpText(
      'after',
      examples('$ writ policy publish', '$ writ policy publish ./policies --id production'),
    )
    .action(act(publish));
};

async function publish(session: Session, folder: string | undefined, options: Options): Promise<ExitCode> {
  const { output, surroundings, nowSeconds } = session;
  const home = await session.openHome();
  const { state } = readGovernance(home);
  const id = options.id ?? state.policy?.id ?? home.domain;
  if (!/^[\x21-\x7e]{1,256}$/.test(id)) throw usageError(`--id "${id}" is not 1 to 256 printable characters`);
  const built = await output.during('validating', async () =>
    bundleOfFolder(surroundings.cwd, folder ?? `${home.folder}/policy`, id),
  );
  if (!isBundle(built)) return tellProblems(output, built);
  const changed = state.policy?.digest !== built.digest;
  if (changed) {
    const refused = await publishPolicy(home, built, { actor: session.actor(home), atSeconds: nowSeconds });
    if (refused !== undefined) throw denied(refused);
  }
  const { digest, policies, tools } = built;
  output.answer({ id, digest, changed, policies: policies.length, tools: tools.size }, () => {
    output.line(changed ? good('published ') : 'already active ', id, faint(`  ${describeBundle(built)}`));
    output.line(faint('digest  '), digest);
  });
  return 0;
}
