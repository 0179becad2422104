import { run } from './run.ts';
import { processSurroundings } from './surroundings.ts';
import { printable } from './text.ts';

/** The program `writ`: runs a command line (without node and script) and leaves its exit code with the process. */
export async function main(argv: readonly string[]): Promise<void> {
  process.on('uncaughtException', endUnforeseen);
  process.exitCode = await run(argv, processSurroundings());
}

/** What nobody caught, a rejection included, ends the program: without the trace that Node would print. */
function endUnforeseen(error: unknown): void {
  const message = error instanceof Error ? error.message : 'something unforeseen happened';
  process.stderr.write(
    `error ${printable(message)} (internal.unexpected)\n→ run "writ doctor"; if it finds nothing, please report this\n`,
  );
  process.exit(1);
}
