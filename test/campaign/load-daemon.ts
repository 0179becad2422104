import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { PROGRAM } from '../../examples/support/program.ts';
import type { Home } from '../../src/governor/index.ts';

const PROBE = new URL('./daemon-probe.ts', import.meta.url).href;
const MIB = 2 ** 20;

/** What a daemon holds at a moment. Memory in MiB; the heap is that of its main thread. */
export interface Sample {
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
  readonly files: number;
  readonly handles: number;
  readonly threads: number;
}

export interface LoadDaemonOptions {
  /** Open files it may have; default: what this process may. */
  readonly files?: number;
}

/** The real `writ up`, in a process of its own, that can be looked into. */
export class LoadDaemon {
  readonly pid: number;
  /** Where it listens over TCP, if the domain's configuration has it so. */
  readonly url: string | undefined;
  readonly #child: ChildProcess;
  readonly #errors: string[];

  private constructor(child: ChildProcess, errors: string[], listening: { pid: number; url?: string }) {
    this.#child = child;
    this.#errors = errors;
    this.pid = listening.pid;
    this.url = listening.url;
  }

  /** @throws where it does not come to listen. */
  static async start(home: Home, { files }: LoadDaemonOptions = {}): Promise<LoadDaemon> {
    const up = [process.execPath, '--import', PROBE, PROGRAM, '--json', '--home', home.folder, 'up'];
    const [program = '', ...args] = files === undefined ? up : ['prlimit', `--nofile=${files}`, ...up];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const errors: string[] = [];
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors.push(...text.split('\n').filter((line) => line !== '' && !/"level":[1-4]0/.test(line)));
      if (errors.length > 100) errors.splice(0, errors.length - 100);
    });
    const line = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const end = text.indexOf('\n');
        if (end >= 0) resolve(text.slice(0, end));
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the daemon exited with ${code}: ${errors.join('\n')}`)));
    });
    const listening: { pid: number; url?: string } = JSON.parse(line);
    return new LoadDaemon(child, errors, listening);
  }

  /** What it told its operators at level error and above, the last hundred lines. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @param collected after a garbage collection, which is what is really held. */
  async sample(collected = false): Promise<Sample> {
    const asked = new Promise<{ heapUsed: number; external: number; handles: number }>((resolve, reject) => {
      this.#child.once('message', (message: { heapUsed: number; external: number; handles: number }) =>
        resolve(message),
      );
      this.#child.once('exit', () => reject(new Error(`the daemon is gone: ${this.#errors.join('\n')}`)));
    });
    this.#child.send(collected ? 'collect' : 'sample');
    const { heapUsed, external, handles } = await asked;
    this.#child.removeAllListeners('exit');
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return {
      rss: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024,
      heap: heapUsed / MIB,
      external: external / MIB,
      files: readdirSync(`/proc/${this.pid}/fd`).length,
      handles,
      threads: Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]),
    };
  }

  /** Resolves when it has ended in order; with how long that took, milliseconds. */
  async stop(): Promise<number> {
    const startedMs = performance.now();
    if (!this.isRunning) return 0;
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGTERM');
    await ended;
    return performance.now() - startedMs;
  }
}

export function rounded(sample: Sample): Sample {
  const one = (value: number): number => Math.round(value * 10) / 10;
  return { ...sample, rss: one(sample.rss), heap: one(sample.heap), external: one(sample.external) };
}
