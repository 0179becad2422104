import type { Context } from 'hono';
import type { OperationGroup } from './administrative-policy.ts';
import type { Caller } from './caller.ts';

/**
 * How far an operation reaches beyond the Unix socket. `public`: anyone, authenticated or not. A group: whom the
 * administrative policy permits it. Operations without any exist on the Unix socket alone.
 */
export type Exposure = 'public' | OperationGroup;

export interface GatedOperation {
  readonly name: string;
  readonly exposure: Exposure | undefined;
}

/** What stands before every operation of an API. */
export interface Gate {
  /** Whether the operation exists here at all. */
  exposes(operation: GatedOperation): boolean;
  /** Who asks, if it may; else the answer. */
  admit(context: Context, operation: GatedOperation): Caller | Response;
  /** Whether a caller that was let in still would be, with the request it was let in with: for what goes on and on. */
  stillAdmits(context: Context, operation: GatedOperation, caller: Caller): boolean;
  readonly maxBodyBytes: number;
  /** Within which an operation is answered; event streams go on. */
  readonly requestTimeoutMs: number | undefined;
}

/** The Unix socket: whoever can connect is this user, who could write the domain's files as well. */
export class LocalGate implements Gate {
  readonly maxBodyBytes = Number.POSITIVE_INFINITY;
  readonly requestTimeoutMs = undefined;
  readonly #owner: Caller;

  /** @param id actor of what is done through the socket. */
  constructor(id: string) {
    this.#owner = Object.freeze({ id, role: 'owner' });
  }

  exposes(): boolean {
    return true;
  }

  admit(): Caller {
    return this.#owner;
  }

  stillAdmits(): boolean {
    return true;
  }
}
