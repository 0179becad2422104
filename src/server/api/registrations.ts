import { randomBytes } from 'node:crypto';
import { encodeBase64url } from '../../codec/index.ts';

/** A credential that is being made for an approver. */
export interface Registration {
  readonly subject: string;
  readonly roles: readonly string[];
  /** Who began it, and alone may end it. */
  readonly caller: string;
  readonly challenge: string;
}

const LIFETIME_MS = 300_000;
const MAX_OPEN = 1000;
const MAX_OPEN_PER_CALLER = 16;

/** Registrations that were begun: each ends once, in time, or is forgotten. */
export class Registrations {
  readonly #open = new Map<string, Registration & { readonly untilMs: number }>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  begin(registration: Registration): string {
    const nowMs = this.#monotonicMs();
    const own: string[] = [];
    for (const [id, { untilMs, caller }] of this.#open) {
      if (untilMs <= nowMs) this.#open.delete(id);
      else if (caller === registration.caller) own.push(id);
    }
    // The oldest make way: of the caller's own first.
    if (own.length >= MAX_OPEN_PER_CALLER) this.#open.delete(own[0] ?? '');
    else if (this.#open.size >= MAX_OPEN) this.#open.delete([...this.#open.keys()][0] ?? '');
    const id = encodeBase64url(randomBytes(16));
    this.#open.set(id, { ...registration, untilMs: nowMs + LIFETIME_MS });
    return id;
  }

  /** The registration, which is over with that, whatever comes of it; undefined where there is none of this caller. */
  end(id: string, caller: string): Registration | undefined {
    const found = this.#open.get(id);
    if (found === undefined || found.caller !== caller) return undefined;
    this.#open.delete(id);
    return this.#monotonicMs() < found.untilMs ? found : undefined;
  }
}
