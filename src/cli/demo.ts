import { join, resolve } from 'node:path';
import { failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Watch a real MCP server being governed: a throwaway trust domain, two agents, the unmodified filesystem server,
and 21 calls, of which some are permitted and the others denied, each with its receipt and a look at the disk.`,
    )
    .option(
      '--dir <folder>',
      'where to play; emptied each time, and refused where it is not a demo folder',
      join('.writ', 'demo'),
    )
    .addHelpText('after', examples('$ writ demo', '$ writ demo --dir /tmp/writ-demo --json'))
    .action(act(demo));
};

async function demo({ output, surroundings }: Session, options: { readonly dir: string }): Promise<0 | 1> {
  // Not part of the library, and in need of the tool server: loaded only here.
  const { runDemo } = await import('../../examples/demo/main.ts');
  const report = await runDemo({
    folder: resolve(surroundings.cwd, options.dir),
    write: (text) => {
      if (!output.json) surroundings.stdout.write(text);
    },
    color: surroundings.colours && surroundings.stdout.isTTY === true,
  }).catch((error: unknown) => {
    throw failure(
      'demo.failed',
      error instanceof Error ? error.message : 'the demo failed',
      'run it with an empty --dir',
    );
  });
  const { ok, steps, logVerified, bundleVerified } = report;
  output.answer({ ok, steps, logVerified, bundleVerified }, () => {});
  return ok ? 0 : 1;
}
