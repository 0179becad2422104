import { isUri, readToken, type WritClaim } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import { type Home, issueArtifact } from '../governor/index.ts';
import type { PreparedPolicy } from '../policy/index.ts';
import { agentName, agentSubject, enrolledKey } from './agents.ts';
import { artifactPath, checkArtifactName, mustReadArtifact, writeArtifact } from './artifact-file.ts';
import { denied, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { formatDuration, formatTime, parseDuration } from './duration.ts';
import { readGovernance } from './governance.ts';
import {
  addGrantOptions,
  audiencesOf,
  audiencesOfTools,
  type GrantOptions,
  maxDepthOf,
  readToolGrants,
  writClaimOf,
} from './grant-options.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { closedArguments, describeArguments, type ToolGrants } from './tool-grants.ts';

interface Options extends GrantOptions {
  readonly agent: string;
  readonly ttl: string;
  readonly initiator?: string;
  readonly anyArguments?: boolean;
  readonly extend?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Grant tools to an agent: signs an authorization artifact, records it in the governance log and stores it.
With --tool, arguments are those the published tool definition names, with any values; --tools constrains values too.`,
    )
    .requiredOption('--agent <name|uri>', 'who will hold it')
    .option('--ttl <duration>', 'how long it is valid: 30m, 8h, 7d (at most 90d)', '8h')
    .option('--initiator <uri>', 'the person on whose order it is given (default: you)')
    .option('--extend <name|file>', 'grant also what this stored artifact grants')
    .option('--any-arguments', 'let --tool name tools that no published policy defines, with any arguments');
  addGrantOptions(command)
    .addHelpText(
      'after',
      examples(
        '$ writ artifact issue --agent builder --tool mcp://fs/tools/read_text_file --ttl 8h',
        '$ writ artifact issue --agent builder --tools tools.json --purpose "fix issue 12" --max-uses 50 --max-depth 1',
        '',
        'tools.json: {"mcp://fs/tools/write_file": {"path": {"constraint_type": "path_containment", "root": "/work"},',
        '             "content": {"constraint_type": "wildcard"}}}',
      ),
    )
    .action(act(issue));
};

async function issue(session: Session, options: Options): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  const home = await session.openHome();
  const { state, policy } = readGovernance(home);
  const holder = enrolledKey(home, state, options.agent);
  const tools = grantedTools(home, surroundings.cwd, options, policy);
  const audiences = audiencesOf(home, options.audience) ?? audiencesOfTools(home, tools);
  const expSeconds = nowSeconds + parseDuration(options.ttl, '--ttl');
  const maxDepth = maxDepthOf(options);
  const writ = withInitiator(writClaimOf(surroundings.cwd, options), session.actor(home), options.initiator);
  const name = options.out ?? defaultName(home, options.agent, audiences);
  const replace = options.replace === true;
  checkArtifactName(home, name, { replace });
  const issued = await issueArtifact(
    home,
    {
      holder,
      tools,
      audiences,
      iatSeconds: nowSeconds,
      expSeconds,
      ...(maxDepth === undefined ? {} : { maxDepth }),
      writ,
    },
    { actor: session.actor(home), atSeconds: nowSeconds },
  );
  if (isDenial(issued)) throw denied(issued);
  const file = writeArtifact(home, name, [issued.compact], { replace });
  const subject = agentSubject(home, options.agent);
  const answer = { name, file, jti: issued.jti, holder: subject, audiences, expires: expSeconds, tools };
  output.answer(answer, () => {
    output.line(good('issued '), name, faint(`  ${file}`));
    output.line(faint('token     '), issued.jti);
    output.line(faint('holder    '), subject);
    output.line(faint('audience  '), audiences.join(', '));
    output.line(
      faint('expires   '),
      formatTime(expSeconds),
      faint(` in ${formatDuration(expSeconds - nowSeconds)}`),
    );
    for (const [tool, map] of Object.entries(tools)) {
      output.line(faint('grants    '), tool, faint(`  ${describeArguments(map)}`));
    }
    output.line(faint('undo      '), `writ artifact revoke --artifact ${name} --reason "…"`);
  });
}

function grantedTools(
  home: Home,
  cwd: string,
  options: Options,
  policy: PreparedPolicy | undefined,
): ToolGrants {
  const tools: Record<string, ToolGrants[string]> = {};
  if (options.tools !== undefined) Object.assign(tools, readToolGrants(cwd, options.tools));
  for (const tool of options.tool ?? []) {
    if (tools[tool] !== undefined) throw usageError(`${tool} is given by --tool and by --tools`);
    const defined = policy?.bundle.tools.get(tool);
    if (defined !== undefined) tools[tool] = closedArguments(defined.definition).map;
    else if (options.anyArguments === true) tools[tool] = {};
    else {
      throw usageError(
        `no published policy defines ${tool}`,
        'see "writ policy show" for those it does, constrain its arguments with --tools FILE, or add --any-arguments',
      );
    }
  }
  if (options.extend !== undefined) {
    const extended = readToken(mustReadArtifact(artifactPath(home, cwd, options.extend)).at(-1) ?? '');
    if (isDenial(extended)) throw denied(extended);
    for (const [tool, map] of Object.entries((extended.toolsJson ?? {}) as ToolGrants)) tools[tool] ??= map;
  }
  if (Object.keys(tools).length === 0)
    throw usageError('no tool is granted', 'give --tool ID, --tools FILE or --extend NAME');
  return tools;
}

function withInitiator(
  claim: WritClaim | undefined,
  actor: string,
  initiator: string | undefined,
): WritClaim {
  if (initiator !== undefined && !isUri(initiator))
    throw usageError(`--initiator "${initiator}" is not a URI`);
  if (initiator !== undefined && claim?.initiator !== undefined) {
    throw usageError('the initiator is given by --initiator and by --writ');
  }
  return { initiator: { id: initiator ?? actor, kind: 'human' }, ...claim };
}

function defaultName(home: Home, agent: string, audiences: readonly string[]): string {
  const holder = agentName(home, agentSubject(home, agent));
  const [audience = '', ...others] = audiences;
  const gateway = audience.startsWith(home.audience(''))
    ? audience.slice(home.audience('').length)
    : undefined;
  if (holder === undefined || gateway === undefined || others.length > 0) {
    throw usageError('under which name is it stored?', 'give --out NAME');
  }
  return `${holder}-${gateway}`;
}
