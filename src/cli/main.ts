import { run } from './run.ts';
import { processSurroundings } from './surroundings.ts';

/** The program `writ`: runs a command line (without node and script) and leaves its exit code with the process. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await run(argv, processSurroundings());
}
