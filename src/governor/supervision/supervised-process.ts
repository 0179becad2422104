import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import type { Digest } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  digestFile,
  type ProcessFacts,
  readProcessFacts,
  type Supervision,
} from '../../environment/index.ts';
import type { Clock } from '../clock.ts';
import { SUPERVISED_DESCRIPTOR, SUPERVISED_VARIABLE } from './supervised-descriptor.ts';
import {
  changedBetween,
  environmentOf,
  type MeasuredProgram,
  measureSupervised,
  type SupervisedProgram,
} from './supervised-program.ts';

export interface SupervisedOptions {
  readonly clock: Clock;
  /** Further variables, which no configuration overrides. */
  readonly environment: Readonly<Record<string, string>>;
  /** What of the daemon it is connected to. */
  readonly socketPath: string;
}

/** A look costs some hundred microseconds; those who ask within so long get the same answer. */
const LOOK_EVERY_MS = 50;
const KILL_AFTER_MS = 3_000;

/**
 * A process that the supervisor started, with a connection that nobody else was ever given the other end of.
 *
 * INVARIANT: which process speaks is never told by anybody: it is the child that was spawned with that socket. Its id is its own
 * until it was waited for, which is this process's to do, and 'exit' says so.
 */
export class SupervisedProcess {
  readonly program: SupervisedProgram;
  readonly child: ChildProcess;
  /** This end of the connection. */
  readonly connection: Socket;
  readonly #before: MeasuredProgram;
  readonly #clock: Clock;
  #image: Digest | undefined;
  #changed: readonly string[] = [];
  #first: ProcessFacts | undefined;
  #hasExited = false;
  #last: Supervision | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;

  private constructor(
    program: SupervisedProgram,
    child: ChildProcess,
    connection: Socket,
    before: MeasuredProgram,
    clock: Clock,
  ) {
    this.program = program;
    this.child = child;
    this.connection = connection;
    this.#before = before;
    this.#clock = clock;
    child.once('exit', () => {
      this.#hasExited = true;
    });
  }

  /** Measures a program and starts it with pipes as its standard streams, or says why it is not started. */
  static async start(
    program: SupervisedProgram,
    { clock, environment, socketPath }: SupervisedOptions,
  ): Promise<SupervisedProcess | Denial> {
    if (process.platform !== 'linux') {
      return deny(
        'environment.assurance_too_low',
        'processes are supervised on Linux alone: elsewhere there is no /proc',
      );
    }
    const before = await measureSupervised(program, Math.floor(clock.wallMs() / 1000));
    if (isDenial(before)) return before;
    const child = spawn(program.command, [...program.args], {
      cwd: program.cwd,
      env: {
        ...environmentOf(program),
        ...environment,
        [SUPERVISED_VARIABLE]: `${SUPERVISED_DESCRIPTOR}:${socketPath}`,
      },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      shell: false,
    });
    const started = await new Promise<boolean>((resolve) => {
      child.once('spawn', () => resolve(true));
      child.once('error', () => resolve(false));
    });
    // It is not to end the daemon, whatever goes wrong with it later.
    child.on('error', () => undefined);
    const connection = child.stdio[SUPERVISED_DESCRIPTOR];
    if (!started || !(connection instanceof Socket)) {
      child.kill('SIGKILL');
      return deny('environment.unmeasured', 'a supervised program could not be started');
    }
    return new SupervisedProcess(program, child, connection, before, clock);
  }

  /**
   * Looks at it as a whole, when it connects: what it runs, and whether what it was started from is what was measured
   * before. A script that nobody touched from before the start until now is what was loaded in between.
   */
  async examine(): Promise<void> {
    const pid = this.child.pid ?? 0;
    const facts = readProcessFacts(pid);
    const image = await digestFile(`/proc/${pid}/exe`);
    const after = await measureSupervised(this.program, Math.floor(this.#clock.wallMs() / 1000));
    this.#image = image;
    this.#changed = isDenial(after) ? ['program'] : changedBetween(this.#before, after);
    this.#first = facts;
    this.#lookedMs = Number.NEGATIVE_INFINITY;
  }

  /** What the supervisor says of it now; nothing, where it is not there any more or was never examined. */
  look(): Supervision | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (this.#hasExited) return undefined;
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return this.#last;
    this.#lookedMs = nowMs;
    const supervision = this.#see();
    // The same object for as long as nothing but milliseconds have changed: it is not sealed with every decision anew.
    if (JSON.stringify(supervision) !== JSON.stringify(this.#last)) this.#last = supervision;
    return this.#last;
  }

  #see(): Supervision | undefined {
    const { pid } = this.child;
    const first = this.#first;
    const image = this.#image;
    if (pid === undefined || first === undefined || image === undefined) return undefined;
    const now = readProcessFacts(pid);
    if (now === undefined || now.parentPid !== process.pid || now.startTicks !== first.startTicks)
      return undefined;
    const { startTicks, tracerPid, uid, gid, foreignNamespaces } = now;
    const { scriptName, components } = this.#before;
    return Object.freeze({
      program: this.program.name,
      ...{ pid, startTicks, at: Math.floor(this.#clock.wallMs() / 1000), uid, gid, image },
      ...{ tracerPid, foreignNamespaces },
      changed: now.image === first.image ? this.#changed : [...this.#changed, 'program'],
      ...(scriptName === undefined ? {} : { scriptName }),
      components,
    });
  }

  /** Ends it, if it does not do so by itself. */
  end(): void {
    if (this.#hasExited) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), KILL_AFTER_MS).unref();
    this.child.once('exit', () => clearTimeout(timer));
  }
}
