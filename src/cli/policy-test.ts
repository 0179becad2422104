import { resolve } from 'node:path';
import { isUri } from '../artifact/index.ts';
import { type CaseResult, preparePolicy, runPolicyCase } from '../policy/index.ts';
import type { ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readCaseFiles } from './policy-cases.ts';
import { tellProblems } from './policy-check.ts';
import { bundleOfFolder, isBundle } from './policy-folder.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

interface Options {
  readonly cases?: string;
  readonly domain: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Try a policy folder on the cases written beside it: *.yaml or *.json files in its folder "cases", each with what is given
and what must come of it. Publishes nothing; exits with 1 where a case comes out otherwise.

What a case does not state is the ordinary: an enrolled agent, a measured environment, a root execution, an artifact of that
agent that ends in an hour. "expect.verdict" is permit, policy.forbidden, policy.not_permitted or policy.evaluation_failed;
"determining" names exactly the policies that decide it, "approvals" exactly those that a permit asks for.`,
    )
    .argument('<folder>', 'the policy folder')
    .option('--cases <dir>', 'where the cases are (default: cases/ in the policy folder)')
    .option('--domain <name>', 'trust domain that agents given by name belong to', 'local')
    .addHelpText(
      'after',
      `${examples('$ writ policy test .writ/policy', '$ writ policy test ./policies --cases ./policy-cases --json')}

A case file:
  cases:
    - name: agents read, and stay out of .git
      given:
        agent: builder            # name or URI; enrolled: false for a stranger
        tool: mcp://fs/tools/write_file
        input: { path: /srv/.git/config }
        time: 2026-11-02T08:30:00Z
        artifact: { purpose: nightly build, initiator: { id: "mailto:ada@example.org", kind: human } }
        lineage: { depth: 1, parentTool: mcp://fs/tools/read_text_file }
        environment: { measured: true, assurance: self }
      expect: { verdict: policy.forbidden, determining: [keep-out-of-git] }`,
    )
    .action(act(test));
};

async function test({ output, surroundings }: Session, folder: string, options: Options): Promise<ExitCode> {
  const { cwd } = surroundings;
  const files = readCaseFiles(resolve(cwd, options.cases ?? `${folder}/cases`));
  const built = await output.during('validating', async () => bundleOfFolder(cwd, folder, 'test'));
  if (!isBundle(built)) return tellProblems(output, built);
  const policy = preparePolicy(built);
  const subjectOf = (agent: string) => (isUri(agent) ? agent : `spiffe://${options.domain}/agent/${agent}`);
  const results: (CaseResult & { readonly file: string })[] = [];
  for (const { file, cases } of files) {
    for (const each of cases) results.push({ file, ...runPolicyCase(policy, each, subjectOf) });
  }
  const failed = results.filter(({ passed }) => !passed).length;
  output.answer({ passed: results.length - failed, failed, cases: results }, () => {
    for (const { file, name, passed, verdict, problems } of results) {
      output.line(passed ? good('ok    ') : bad('FAIL  '), `${file}: ${name}`, faint(`  ${verdict}`));
      for (const problem of problems) output.line(bad('      ✗ '), problem);
    }
    output.line(
      failed === 0 ? good('passed ') : bad('failed '),
      `${results.length - failed} of ${results.length} cases`,
    );
  });
  return failed === 0 ? 0 : 1;
}
