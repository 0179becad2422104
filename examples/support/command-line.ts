import { Readable, Writable } from 'node:stream';
import { run } from '../../src/cli/run.ts';
import { processSurroundings } from '../../src/cli/surroundings.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

class Kept extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

/** Runs a command line of `writ` in this process, in a folder and at a time of the story's own. */
export async function commandLine(
  options: {
    readonly cwd: string;
    readonly clockMs: () => number;
    readonly stdin: AsyncIterable<Uint8Array>;
  },
  argv: readonly string[],
): Promise<Ran> {
  const stdout = new Kept();
  const stderr = new Kept();
  const code = await run(argv, {
    ...processSurroundings(),
    ...options,
    stdin: Readable.from(options.stdin),
    stdout,
    stderr,
    colours: false,
    user: 'you',
  });
  return { code, out: stdout.text, err: stderr.text };
}
