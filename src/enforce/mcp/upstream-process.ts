import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export interface UpstreamCommand {
  /** Program, looked up in PATH; never a shell line. */
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment; the gateway's own where it is left out. Either way without `WRIT_*`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface UpstreamExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The program could not be started at all. */
  readonly failedToStart: boolean;
}

/**
 * The environment a tool server may see: everything but what configures Writ, which could be a passphrase or lead to
 * a key (names compared without regard to case).
 */
export function upstreamEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const entries = Object.entries(environment).flatMap(([name, value]): [string, string][] =>
    value === undefined || /^WRIT_/i.test(name) ? [] : [[name, value]],
  );
  return Object.fromEntries(entries);
}

/** An MCP server as a child process in a process group of its own, without a shell in between. */
export class UpstreamProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the process is gone; never rejects. */
  readonly exited: Promise<UpstreamExit>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #isGone = false;
  readonly #killOnExit = (): void => this.kill('SIGKILL');

  constructor({ command, args, cwd, env }: UpstreamCommand) {
    this.#child = spawn(command, [...args], {
      env: upstreamEnvironment(env ?? process.env),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      shell: false,
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.stdin = this.#child.stdin;
    this.stdout = this.#child.stdout;
    this.stderr = this.#child.stderr;
    process.once('exit', this.#killOnExit);
    this.exited = new Promise((resolve) => {
      const end = (exit: UpstreamExit): void => {
        this.#isGone = true;
        resolve(exit);
      };
      this.#child.once('exit', (code, signal) => end({ code, signal, failedToStart: false }));
      this.#child.once('error', () => {
        if (this.#child.pid === undefined) end({ code: null, signal: null, failedToStart: true });
      });
    });
    // A closed pipe shows as the end of the process, which is what is waited for.
    this.stdin.on('error', () => {});
  }

  get failedToStart(): boolean {
    return this.#child.pid === undefined;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Signals the whole process group; what is gone already is no error. */
  kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // ESRCH: nothing of the group is left.
    }
  }

  /** Waits for the exit; false when the time is up first. */
  async waitForExit(milliseconds: number): Promise<boolean> {
    if (this.#isGone) return true;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, milliseconds, false);
    });
    const gone = await Promise.race([this.exited.then(() => true as const), timeout]);
    clearTimeout(timer);
    return gone;
  }

  /**
   * Ends the process as the stdio transport asks (end of input, then SIGTERM, then SIGKILL), and in the end whatever
   * is left of its group. Resolves when the process is gone.
   */
  async stop(graceMs: { afterEndOfInput: number; afterTerm: number }): Promise<UpstreamExit> {
    this.stdin.end();
    if (!(await this.waitForExit(graceMs.afterEndOfInput))) {
      this.kill('SIGTERM');
      await this.waitForExit(graceMs.afterTerm);
    }
    this.kill('SIGKILL');
    process.removeListener('exit', this.#killOnExit);
    return this.exited;
  }
}
