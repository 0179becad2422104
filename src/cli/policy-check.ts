import { formatProblem, type PolicyBundle, type PolicyProblem } from '../policy/index.ts';
import type { ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Output } from './output.ts';
import { bundleOfFolder, isBundle } from './policy-folder.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Validate a policy folder strictly, as publishing does: every *.cedar file in it, against the tools listed in
tools/<server>.json, and what receipts show of calls by redaction.yaml. Says file, line and reason of everything
that is wrong.`,
    )
    .argument('<folder>', 'the policy folder')
    .addHelpText('after', examples('$ writ policy check .writ/policy', '$ writ policy publish .writ/policy'))
    .action(act(check));
};

async function check({ output, surroundings }: Session, folder: string): Promise<ExitCode> {
  const built = await output.during('validating', async () =>
    bundleOfFolder(surroundings.cwd, folder, 'check'),
  );
  if (!isBundle(built)) return tellProblems(output, built);
  output.answer({ valid: true, problems: [], policies: built.policies.length, tools: built.tools.size }, () =>
    output.line(good('valid '), `${built.policies.length} policies over ${built.tools.size} tools`),
  );
  return 0;
}

/** What is wrong with a folder, the same for check and publish. */
export function tellProblems(output: Output, problems: readonly PolicyProblem[]): ExitCode {
  output.answer({ valid: false, problems }, () => {
    for (const problem of problems) output.line(bad('✗ '), formatProblem(problem));
    output.line(
      faint(`${problems.length} problem${problems.length === 1 ? '' : 's'}; nothing was published`),
    );
  });
  return 1;
}

/** Policies of a bundle by effect, in words. */
export function describeBundle({ policies, tools }: PolicyBundle): string {
  return `${policies.length} policies, ${tools.size} tools`;
}
