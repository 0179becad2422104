import { resolve } from 'node:path';
import { isLocalName } from '../governor/index.ts';
import { type AdoptOptions, adoptTools } from './adopt-tools.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readToolManifest } from './policy-folder.ts';
import type { Session } from './session.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Put the tools of a program under policy: their definitions are pinned and published, and the agent gets an artifact for
those that only read. FILE is what the program's Writ says of itself: JSON.stringify(writ.manifest()).
In a program that changed, this pins its tools anew.`,
    )
    .argument('<file>', 'the manifest: {"server": NAME, "tools": [{"id": …, "definition": {…}}]}')
    .option('--agent <name>', 'the agent that calls (default: the only one there is, else "agent")')
    .option('--ttl <duration>', 'how long the artifact is valid', '7d')
    .addHelpText('after', examples('$ node app.js --manifest > tools.json', '$ writ sdk adopt tools.json'))
    .action(act(adopt));
};

async function adopt(session: Session, file: string, options: AdoptOptions): Promise<void> {
  const { output, surroundings } = session;
  const home = await session.openHome();
  const definitions = readToolManifest(resolve(surroundings.cwd, file));
  const [first] = definitions;
  if (first === undefined)
    throw usageError(`${file} lists no tool`, 'govern a function before you ask for the manifest');
  const name = first.server;
  if (!isLocalName(name)) throw usageError(`${file}: "${name}" is no name of a program`);
  const foreign = definitions.find(({ id }) => !id.startsWith(`sdk://${name}/`));
  if (foreign !== undefined) {
    throw usageError(
      `${file}: ${foreign.id} is no tool of ${name}`,
      `the ids of its tools begin with sdk://${name}/`,
    );
  }
  await adoptTools(session, home, { name, what: 'program', definitions }, options, () => {
    output.line();
    output.line('Run the program, then see what it does with:');
    output.line('  writ log show');
  });
}
