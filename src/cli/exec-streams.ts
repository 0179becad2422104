import { createReadStream, createWriteStream, fstatSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import type { HeldProcess, Streams } from '../enforce/exec/index.ts';
import { CliError } from './cli-error.ts';
import type { Surroundings } from './surroundings.ts';

export interface ExecStreams {
  readonly streams: Streams;
  /** Connects what is not handed on. Resolves when all that the program said has been passed on. */
  connect(running: HeldProcess): Promise<void>;
}

type Way = 'hand-on' | 'relay';

/**
 * Standard streams of a confined program. Terminals, pipes and sockets are handed on as they are. A file is relayed: by a
 * descriptor, a program could open it anew and write what it was to read. A folder is refused, because it leads to every
 * other.
 */
export function execStreams({ stdin, stdout, stderr }: Surroundings): ExecStreams {
  const ways = [
    wayOf(stdin === process.stdin ? 0 : undefined),
    wayOf(stdout === process.stdout ? 1 : undefined),
    wayOf(stderr === process.stderr ? 2 : undefined),
  ] as const;
  const at = (descriptor: 0 | 1 | 2): number | 'pipe' =>
    ways[descriptor] === 'hand-on' ? descriptor : 'pipe';
  const input: Readable = stdin === process.stdin ? createReadStream('', { fd: 0, autoClose: false }) : stdin;
  const outputs: readonly Writable[] = [
    stdout === process.stdout ? createWriteStream('', { fd: 1, autoClose: false }) : stdout,
    stderr === process.stderr ? createWriteStream('', { fd: 2, autoClose: false }) : stderr,
  ];
  return {
    streams: [at(0), at(1), at(2)],
    async connect({ pipes, ended }) {
      const [theirInput, ...theirOutputs] = pipes;
      if (theirInput != null && 'write' in theirInput) {
        theirInput.on('error', () => undefined);
        pipeline(input, theirInput).catch(() => undefined);
        void ended.then(() => input.unpipe(theirInput));
      }
      const drained = theirOutputs.map(async (stream, index) => {
        const output = outputs[index];
        if (stream == null || !('read' in stream) || output === undefined) return;
        stream.pipe(output, { end: false });
        await finished(stream).catch(() => undefined);
      });
      await Promise.all(drained);
    },
  };
}

function wayOf(descriptor: number | undefined): Way {
  if (descriptor === undefined) return 'relay';
  const status = fstatSync(descriptor);
  if (status.isDirectory()) {
    throw new CliError({ code: 'usage', message: 'a standard stream is a folder', exitCode: 125 });
  }
  return status.isFile() || status.isBlockDevice() ? 'relay' : 'hand-on';
}
