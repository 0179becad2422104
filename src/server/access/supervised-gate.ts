import type { Caller } from './caller.ts';
import type { Gate, GatedOperation } from './gate.ts';

/**
 * The connection of a process that the daemon started: it opens its session, and there is nothing else. What it may do besides
 * as this user is not done through here.
 */
export class SupervisedGate implements Gate {
  readonly maxBodyBytes = Number.POSITIVE_INFINITY;
  readonly requestTimeoutMs = undefined;
  readonly #owner: Caller;
  readonly #operation: string;

  /** @param operation the one that exists. */
  constructor(id: string, operation: string) {
    this.#owner = Object.freeze({ id, role: 'owner' });
    this.#operation = operation;
  }

  exposes({ name }: GatedOperation): boolean {
    return name === this.#operation;
  }

  admit(): Caller {
    return this.#owner;
  }

  stillAdmits(): boolean {
    return true;
  }
}
