import { execFile } from 'node:child_process';
import { constants, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * What holds a program back: a FIFO without a name, open for reading and writing at both ends. Reading it waits for a
 * byte, and never ends otherwise: not even when everybody else who has it open is gone.
 */
export interface Gate {
  /** One byte written here lets the program run. */
  readonly ours: number;
  /** For the sandbox to read. */
  readonly theirs: number;
}

const AT_ONCE = 8;
const run = promisify(execFile);

/** Gates, made several at a time: it takes a process to make a FIFO. Each is used once. */
export class GateStock {
  readonly #mkfifo: string;
  readonly #gates: number[] = [];
  #making: Promise<void> | undefined;

  constructor(mkfifo: string) {
    this.#mkfifo = mkfifo;
  }

  async take(): Promise<Gate> {
    while (this.#gates.length === 0) {
      this.#making ??= this.#make().finally(() => {
        this.#making = undefined;
      });
      await this.#making;
    }
    const gate = this.takeReady();
    if (gate === undefined) throw new TypeError('there is no gate');
    return gate;
  }

  /** One that is there already. */
  takeReady(): Gate | undefined {
    const ours = this.#gates.pop();
    if (ours === undefined) return undefined;
    // Opened anew: waiting is a matter of each end.
    return { ours, theirs: openSync(`/proc/self/fd/${ours}`, constants.O_RDWR) };
  }

  async #make(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'writ-gate-'));
    try {
      const paths = Array.from({ length: AT_ONCE }, (_, index) => join(folder, String(index)));
      await run(this.#mkfifo, ['-m', '600', ...paths], { env: {} });
      for (const path of paths) {
        const gate = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
        if (!fstatSync(gate).isFIFO()) throw new TypeError('the gate is no FIFO');
        this.#gates.push(gate);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
