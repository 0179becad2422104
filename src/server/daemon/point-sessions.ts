import { newUuidV7 } from '../../artifact/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Component } from '../../environment/index.ts';
import type { EnforcementPoint, SupervisedProcess } from '../../governor/index.ts';
import type { EnforcementPoints } from './enforcement-points.ts';
import { type ExecutionEnd, PointSession } from './point-session.ts';

const MAX_SESSIONS = 1024;
const DRAIN_STEP_MS = 20;
const GOING_DOWN = deny('log.unavailable', 'the daemon is going down');

/** What is known of a runtime by how it is connected. */
export interface ConnectedRuntime {
  /** On the Unix socket, and so on this machine: its TPM says nothing about runtimes elsewhere. */
  readonly isHere: boolean;
  /** The process, where it is one that the daemon started and that speaks over the connection it was given. */
  readonly supervisor?: SupervisedProcess;
}

export interface NewSession {
  readonly name: string;
  readonly components: readonly Component[];
  readonly measuredAtSeconds: number;
  readonly runtime: ConnectedRuntime;
  readonly bootId?: string | undefined;
  readonly onTerminated: (executionId: string, denial: Denial) => void;
}

/** The runtimes that are connected to a daemon. */
export class PointSessions {
  readonly #points: EnforcementPoints;
  readonly #sessions = new Map<string, PointSession>();
  #draining = false;

  constructor(points: EnforcementPoints) {
    this.#points = points;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Executions that were permitted and have not ended. */
  get running(): number {
    let running = 0;
    for (const session of this.#sessions.values()) running += session.running;
    return running;
  }

  async open(asked: NewSession): Promise<{ session: PointSession; point: EnforcementPoint } | Denial> {
    const refused = this.#refusal();
    if (refused !== undefined) return refused;
    const point = await this.#points.open(asked.name);
    if (isDenial(point)) return point;
    const { components, measuredAtSeconds, runtime, bootId } = asked;
    await runtime.supervisor?.examine();
    // Others were opened meanwhile, or it goes down by now.
    const refusedSince = this.#refusal();
    if (refusedSince !== undefined) return refusedSince;
    const opened = point.openSession(components, measuredAtSeconds, { ...runtime, bootId });
    const session = new PointSession(newUuidV7(), opened, asked.onTerminated);
    this.#sessions.set(session.id, session);
    return { session, point };
  }

  #refusal(): Denial | undefined {
    if (this.#draining) return GOING_DOWN;
    return this.#sessions.size < MAX_SESSIONS
      ? undefined
      : deny('log.unavailable', `this daemon has ${MAX_SESSIONS} sessions already`);
  }

  /** The outcome of an execution that was left, at the enforcement point of this name. It is durable when this resolves. */
  async concludeLater(name: string, executionId: string, end: ExecutionEnd): Promise<Denial | undefined> {
    const sessions = [...this.#sessions.values()];
    if (sessions.some((session) => session.isRunning(executionId))) {
      return deny('request.malformed', 'the execution is running');
    }
    const point = await this.#points.find(name);
    if (point === undefined) return deny('request.malformed', 'there is no such enforcement point');
    if (isDenial(point)) return point;
    await Promise.all(sessions.map((session) => session.settle()));
    return point.concludeLater(executionId, end);
  }

  async end(session: PointSession): Promise<void> {
    // Known until its outcomes are durable: `concludeLater` waits for them, so that nothing is given another one.
    try {
      await session.end();
    } finally {
      this.#sessions.delete(session.id);
    }
  }

  /** Decides everything that runs again, now rather than when the governors next look. */
  async reverify(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.reverify()));
  }

  /** No new sessions and executions; resolves when nothing runs any more, or after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    for (const session of this.#sessions.values()) session.refuse(GOING_DOWN);
    const until = performance.now() + timeoutMs;
    while (this.running > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_STEP_MS));
    }
  }

  async close(): Promise<void> {
    this.#draining = true;
    await Promise.all([...this.#sessions.values()].map((session) => this.end(session)));
  }
}
