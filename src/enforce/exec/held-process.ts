import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, lstatSync, openSync, statSync, writeSync } from 'node:fs';
import type { Server } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { type Denial, deny } from '../../denial/index.ts';
import type { Confiner } from './confiner.ts';
import type { ControlGroup, GroupUse } from './control-group.ts';
import { inheritedDescriptors } from './inherited-descriptors.ts';
import { boundArguments, type ProcessBound, processBounds } from './limits.ts';
import { killOrphans } from './orphans.ts';
import { childrenOf, countProcesses, kill, readText } from './process-table.ts';
import { DESCRIPTOR, type SandboxPlan, sandboxArguments } from './sandbox-arguments.ts';
import { awaitListener, feed, masked, streamOf } from './sandbox-descriptors.ts';
import { seccompFilter } from './seccomp-filter.ts';

/** How a confined program ended. */
export interface ProcessEnd {
  /** Undefined where it did not end by itself. */
  readonly exitCode: number | undefined;
  readonly use: GroupUse | undefined;
}

/** Standard streams of the program: descriptors to hand on, or pipes. */
export type Streams = readonly [
  number | 'pipe' | 'ignore',
  number | 'pipe' | 'ignore',
  number | 'pipe' | 'ignore',
];

/** A program in its sandbox, held before its first instruction. */
export interface HeldProcess {
  /** Lets it run. */
  release(): void;
  /** Kills everything in the sandbox, whatever it has become. */
  kill(): void;
  /** Passes a signal on to the program itself. */
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<ProcessEnd>;
  readonly pipes: readonly (Readable | Writable | null | undefined)[];
  /** What the kernel keeps each of its processes to. */
  readonly bounds: readonly ProcessBound[];
}

export interface HoldOptions {
  readonly confiner: Confiner;
  readonly plan: SandboxPlan;
  readonly streams: Streams;
  /** Where the plan has a network: told of the socket in it that all connections come to, before the program starts. */
  readonly onListener?: (listener: Server) => void;
  readonly signal?: AbortSignal;
}

const SET_UP_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 1;
const BURIAL_MS = 200;
const NO_CAPABILITIES = /^CapEff:\t0+$/m;

/**
 * Makes the sandbox and holds the program in it. INVARIANT: nothing of the program runs before `release`, not even if
 * this process dies: what the sandbox waits on is a FIFO that it could write itself, so it never ends.
 *
 * @returns `environment.mismatch` where what was made is not what was asked for, `environment.unmeasured` where none
 *   could be made.
 */
export async function holdProcess(options: HoldOptions): Promise<HeldProcess | Denial> {
  const { confiner, plan, streams } = options;
  const { limits } = plan;
  const filter = seccompFilter();
  if (filter === undefined) return deny('environment.unmeasured', 'there is no system call filter');
  const inherited = inheritedDescriptors();
  const sandbox = sandboxArguments(plan, inherited.length);
  // INVARIANT: where there is a gate, nothing is waited for before the sandbox is begun: whoever decides meanwhile would hold it up.
  const gate = confiner.gates.takeReady() ?? (await confiner.gates.take());
  const group = confiner.openGroup(limits);
  const nothing = openSync('/dev/null', 'r');
  const { account, bubblewrap, prlimit } = confiner;
  if (group === undefined) killOrphans(plan.account.uid);
  const running = group === undefined ? countProcesses(plan.account.uid) : 0;
  const bounds = processBounds({
    limits,
    ...sandbox.making,
    inGroup: group !== undefined,
    running,
  });
  const child = spawn(
    prlimit.path,
    [
      ...boundArguments(bounds),
      '--',
      ...[bubblewrap.path, '--args', `${DESCRIPTOR.arguments}`, '--', ...sandbox.command],
    ],
    {
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
      env: {},
      cwd: '/',
      // Signals of a terminal reach this process alone, which passes them on.
      detached: true,
      stdio: [
        ...streams,
        'pipe',
        'pipe',
        'pipe',
        gate.theirs,
        ...sandbox.data.map(() => 'pipe' as const),
        ...(sandbox.channel === undefined ? [] : ['ipc' as const]),
        ...masked(
          DESCRIPTOR.firstData + sandbox.data.length + (sandbox.channel === undefined ? 0 : 1),
          nothing,
          inherited,
        ),
      ],
    },
  );
  closeSync(gate.theirs);
  closeSync(nothing);
  const held = new Held(child, gate.ours, group, bounds);
  if (sandbox.channel !== undefined) awaitListener(child, options.onListener);
  // At once: what it starts is then in the group from its beginning, and is found there should this process be killed.
  held.limit(child.pid);
  feed(child, DESCRIPTOR.arguments, Buffer.from(sandbox.options.map((option) => `${option}\0`).join('')));
  feed(child, DESCRIPTOR.seccomp, filter);
  for (const [index, bytes] of sandbox.data.entries()) feed(child, DESCRIPTOR.firstData + index, bytes);
  const refused = await held.untilSetUp(plan, options.signal);
  if (refused === undefined) return held;
  held.kill();
  await held.ended;
  return refused;
}

class Held implements HeldProcess {
  readonly ended: Promise<ProcessEnd>;
  readonly pipes: HeldProcess['pipes'];
  readonly bounds: readonly ProcessBound[];
  readonly #child: ChildProcess;
  readonly #gate: number;
  readonly #group: ControlGroup | undefined;
  readonly #inner = Promise.withResolvers<number | undefined>();
  #innerPid: number | undefined;
  #namespaces: ReadonlyMap<string, number> = new Map();
  #exitCode: number | undefined;
  #over = false;
  #killed = false;
  #limited = true;
  #released = false;

  constructor(
    child: ChildProcess,
    gate: number,
    group: ControlGroup | undefined,
    bounds: readonly ProcessBound[],
  ) {
    this.bounds = bounds;
    this.#child = child;
    this.#gate = gate;
    this.#group = group;
    this.pipes = child.stdio.slice(0, 3);
    this.#readStatus();
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        if (this.#over) return;
        this.#over = true;
        this.#inner.resolve(undefined);
        if (child.connected) child.disconnect();
        closeSync(this.#gate);
        const use = this.#group?.use();
        this.#group?.remove();
        resolve({ exitCode: this.#killed ? undefined : this.#exitCode, use });
      };
      child.once('error', end);
      // Whatever holds the standard streams open, the sandbox is gone when bubblewrap is.
      child.once('exit', () => {
        const status = streamOf(child, DESCRIPTOR.status);
        if (status === undefined || status.closed) end();
        else {
          status.once('close', end);
          setTimeout(end, 100).unref();
        }
      });
    });
  }

  release(): void {
    if (this.#over || this.#released) return;
    this.#released = true;
    // One byte, not more: a second would be read as the program's.
    writeSync(this.#gate, '.');
  }

  kill(): void {
    if (this.#over || this.#killed) return;
    this.#killed = true;
    // The first process of the namespace takes all others along; bubblewrap, outside of it, then buries them and ends.
    if (this.#innerPid !== undefined) kill(this.#innerPid, 'SIGKILL');
    else this.#child.kill('SIGKILL');
    setTimeout(() => {
      if (!this.#over) this.#child.kill('SIGKILL');
    }, BURIAL_MS).unref();
  }

  signal(name: NodeJS.Signals): void {
    if (this.#over || !this.#released || this.#innerPid === undefined) return;
    const program = childrenOf(this.#innerPid)[0];
    if (program !== undefined) kill(program, name);
  }

  limit(pid: number | undefined): void {
    try {
      if (pid !== undefined) this.#group?.add(pid);
    } catch {
      this.#limited = false;
    }
  }

  /** Why what was made must not be used, if it must not. */
  async untilSetUp(plan: SandboxPlan, signal: AbortSignal | undefined): Promise<Denial | undefined> {
    const timer = setTimeout(() => this.#inner.resolve(undefined), SET_UP_TIMEOUT_MS);
    const pid = await this.#inner.promise;
    clearTimeout(timer);
    if (pid === undefined) return NOT_MADE;
    this.limit(pid);
    if (!this.#limited)
      return deny('environment.unmeasured', 'the sandbox could not be put under its limits');
    const until = performance.now() + SET_UP_TIMEOUT_MS;
    while (!this.#over && !NO_CAPABILITIES.test(readText(`/proc/${pid}/status`))) {
      if (performance.now() > until || signal?.aborted) return NOT_MADE;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return this.#over ? NOT_MADE : (this.#findShared() ?? findSwapped(pid, plan));
  }

  /** Every namespace is the sandbox's own. */
  #findShared(): Denial | undefined {
    for (const kind of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts']) {
      const own = statSync(`/proc/self/ns/${kind}`).ino;
      const theirs = this.#namespaces.get(kind);
      if (theirs === undefined || theirs === own) {
        return deny('environment.mismatch', `the sandbox shares a namespace: ${kind}`);
      }
    }
    return undefined;
  }

  #readStatus(): void {
    let text = '';
    const status = streamOf(this.#child, DESCRIPTOR.status);
    status?.on('error', () => undefined);
    status?.on('data', (chunk: unknown) => {
      text += String(chunk);
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
  }

  #take(line: string): void {
    const members = new Map(
      [...line.matchAll(/"([a-z-]+)": (\d+)/g)].map(([, name = '', value]) => [name, Number(value)]),
    );
    const pid = members.get('child-pid');
    if (pid !== undefined) {
      this.#namespaces = new Map(
        [...members].map(([name, value]) => [name.replace('-namespace', ''), value]),
      );
      this.#innerPid = pid;
      this.#inner.resolve(pid);
    }
    if (members.has('exit-code')) this.#exitCode = members.get('exit-code') ?? this.#exitCode;
  }
}

const NOT_MADE = deny('environment.unmeasured', 'the sandbox could not be made');

/** Whether something else than the file that was decided on lies at a granted path of the sandbox. */
function findSwapped(pid: number, { paths }: SandboxPlan): Denial | undefined {
  for (const { path, device, inode } of paths) {
    try {
      const bound = lstatSync(`/proc/${pid}/root${path}`, { bigint: true });
      if (bound.dev === device && bound.ino === inode) continue;
    } catch {
      // It is not there.
    }
    return deny('environment.mismatch', 'a granted path was swapped for another file');
  }
  return undefined;
}
