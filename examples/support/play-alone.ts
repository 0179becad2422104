import { basename, join } from 'node:path';
import type { PlayOptions, Report } from './scenario.ts';

/** Plays an example as a program: on standard output, in `.writ/examples/<name>` of the working directory. */
export async function playAlone(
  example: string,
  play: (options: PlayOptions) => Promise<Report>,
): Promise<void> {
  const folder = join(process.cwd(), '.writ', 'examples', basename(example));
  const { ok } = await play({ folder, write: (text) => process.stdout.write(text) });
  process.exitCode = ok ? 0 : 1;
}
