import { failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';
import { closedArguments, describeArguments } from './tool-grants.ts';

interface Options {
  readonly source?: boolean;
}

export const define: Define = (command, act) => {
  command
    .description('Show the active policy of the trust domain: its policies and the tools they speak of.')
    .option('--source', 'print the Cedar text of every policy')
    .addHelpText('after', examples('$ writ policy show', '$ writ policy show --source'))
    .action(act(show));
};

async function show(session: Session, options: Options): Promise<void> {
  const { output } = session;
  const home = await session.openHome();
  const { state, policy } = readGovernance(home);
  if (state.policy === undefined) {
    throw failure(
      'not_found',
      'no policy has been published: every action is denied',
      'run "writ policy publish"',
    );
  }
  if (policy === undefined) {
    throw failure(
      'policy.unavailable',
      `the bytes of the active policy ${state.policy.digest} are missing or altered: every action is denied`,
      'publish it again with "writ policy publish"',
    );
  }
  const { id, digest, policies, tools, redaction } = policy.bundle;
  const answer = {
    id,
    digest,
    policies: policies.map(({ id: policyId, path, effect, text }) => ({
      id: policyId,
      path,
      effect,
      ...(options.source === true ? { text: text.trim() } : {}),
    })),
    tools: [...tools].map(([tool, { server, group, digest: definition }]) => ({
      id: tool,
      server,
      group,
      definition,
    })),
    ...(redaction && { redaction: redaction.json }),
  };
  output.answer(answer, () => {
    output.line(faint('policy  '), id);
    output.line(faint('digest  '), digest);
    output.line();
    if (options.source === true) {
      for (const { text } of policies) for (const line of text.trim().split('\n')) output.line(line);
      output.line();
    } else {
      output.table(
        ['EFFECT', 'POLICY', 'FILE'],
        policies.map((item) => [
          item.effect === 'permit' ? good('permit') : bad('forbid'),
          item.id,
          faint(item.path),
        ]),
      );
      output.line();
    }
    output.table(
      ['GROUP', 'TOOL', 'ARGUMENTS'],
      [...tools].map(([tool, { group, definition }]) => [
        group === 'read' ? good(group) : group === 'write' ? warn(group) : bad(group),
        tool,
        faint(describeArguments(closedArguments(definition).map)),
      ]),
    );
    if (redaction === undefined) return;
    output.line();
    output.table(
      ['RECEIPTS OF', 'SHOW'],
      Object.entries(redaction.json).map(([pattern, rule]) => [pattern, faint(JSON.stringify(rule))]),
    );
  });
}
