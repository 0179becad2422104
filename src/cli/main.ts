import { run } from './run.ts';
import { processSurroundings } from './surroundings.ts';
import { printable } from './text.ts';

/** The program `writ`: runs a command line (without node and script) and leaves its exit code with the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const isHook = isHookCall(argv);
  process.on('uncaughtException', (error) => endUnforeseen(error, isHook ? BLOCKING : 1));
  process.exitCode = await run(argv, processSurroundings());
  // A hook that does not end is cancelled, and the tool runs.
  if (isHook) process.exit(process.exitCode);
}

/** Exit code with which a hook blocks: after any other failure the tool runs. */
const BLOCKING = 2;

function isHookCall(argv: readonly string[]): boolean {
  return argv.some((word, index) => word === 'hook' && argv[index + 1] === 'claude-code');
}

/** What nobody caught, a rejection included, ends the program: without the trace that Node would print. */
function endUnforeseen(error: unknown, exitCode: number): void {
  const message = error instanceof Error ? error.message : 'something unforeseen happened';
  process.stderr.write(
    `error ${printable(message)} (internal.unexpected)\n→ run "writ doctor"; if it finds nothing, please report this\n`,
  );
  process.exit(exitCode);
}
