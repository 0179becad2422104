import { resolve } from 'node:path';
import type { JsonObject } from '../codec/index.ts';
import { CLAUDE_CODE, claudeCodeDefinitions } from '../enforce/sdk/index.ts';
import { type AdoptOptions, adoptTools } from './adopt-tools.ts';
import { usageError } from './cli-error.ts';
import { shellLine } from './client-config.ts';
import { type Define, examples } from './command.ts';
import { refuseExposedHome } from './exposed-home.ts';
import type { Session } from './session.ts';
import type { ToolGrants } from './tool-grants.ts';

interface Options extends AdoptOptions {
  readonly project?: string;
}

/** How long Claude Code waits for the hook, seconds; the hook itself gives up, and blocks, well before. */
const HOOK_TIMEOUT_SECONDS = 60;

/** Arguments of the reading tools that name a place. */
const PLACES: Readonly<Record<string, string>> = {
  'hook://claude-code/Read': 'file_path',
  'hook://claude-code/Glob': 'path',
  'hook://claude-code/Grep': 'path',
};

export const define: Define = (command, act) => {
  command
    .description(
      `Put the built-in tools of Claude Code under policy: their definitions are pinned and published, and the agent gets an
artifact for reading below the project. Ends with what to put into Claude Code's settings, so that each use of a
tool is decided here. The trust domain must lie outside of the project: who reads its keys is its authority.`,
    )
    .argument('<client>', 'claude-code')
    .option('--project <dir>', 'folder that may be read (default: here)')
    .option('--agent <name>', 'the agent that calls (default: the only one there is, else "agent")')
    .option('--ttl <duration>', 'how long the artifact is valid', '7d')
    .addHelpText(
      'after',
      examples('$ writ init --home ~/.writ', '$ writ hook adopt claude-code --home ~/.writ'),
    )
    .action(act(adopt));
};

async function adopt(session: Session, client: string, options: Options): Promise<void> {
  const { output, surroundings } = session;
  if (client !== CLAUDE_CODE)
    throw usageError(`"${client}" is not known`, `write: writ hook adopt ${CLAUDE_CODE}`);
  const home = await session.openHome();
  const project = resolve(surroundings.cwd, options.project ?? '.');
  refuseExposedHome(home.folder, { args: [project], cwd: surroundings.cwd });
  const { program } = surroundings;
  const asked = shellLine([...program, '--home', home.folder, 'hook', CLAUDE_CODE]);
  const told = { matcher: '*', hooks: [{ type: 'command', command: asked, timeout: HOOK_TIMEOUT_SECONDS }] };
  const line = `${asked} --await-outcome || exit 2`;
  const settings = {
    hooks: {
      PreToolUse: [
        {
          matcher: '*',
          hooks: [{ type: 'command', command: line, timeout: HOOK_TIMEOUT_SECONDS, onFailure: 'block' }],
        },
      ],
      PostToolUse: [told],
      PostToolUseFailure: [told],
    },
  };
  const definitions = claudeCodeDefinitions();
  const narrow = (grants: ToolGrants): ToolGrants => below(project, grants);
  await adoptTools(session, home, { name: CLAUDE_CODE, what: 'client', definitions, narrow }, options, () => {
    output.line();
    output.line('In .claude/settings.json of the project, or ~/.claude/settings.json for all:');
    output.text(JSON.stringify(settings, undefined, 2));
    output.line('Then see what it does with:');
    output.line('  writ log show');
  });
}

/** Reading is granted below the project only. Symbolic links that lead out of it are not looked through. */
function below(project: string, grants: ToolGrants): ToolGrants {
  const narrowed = Object.entries(grants).map(([id, map]): [string, JsonObject] => {
    const place = PLACES[id];
    if (place === undefined) return [id, map];
    const optional = place === 'file_path' ? {} : { optional: true };
    return [id, { ...map, [place]: { constraint_type: 'path_containment', root: project, ...optional } }];
  });
  return Object.fromEntries(narrowed);
}
