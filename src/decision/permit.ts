import { hash } from 'node:crypto';
import type { Digest } from '../codec/index.ts';

/** Held only by this module: `new Permit(…)` elsewhere has nothing to pass. */
const FORGE = Symbol('permit');

/**
 * Leave to run one effect once. Only `decide` makes it; it is bound to the digest of the request it was made for, and
 * is spent by the first `redeem`.
 */
export class Permit {
  readonly requestDigest: Digest;
  #spent = false;

  constructor(forge: symbol, requestDigest: Digest) {
    if (forge !== FORGE) throw new TypeError('a Permit comes from decide() only');
    this.requestDigest = requestDigest;
    Object.freeze(this);
  }

  /** Spends the permit for the request it was made for. False where it was spent, or made for another one. */
  redeem(requestDigest: Digest): boolean {
    if (this.#spent || requestDigest !== this.requestDigest) return false;
    this.#spent = true;
    return true;
  }

  static isPermit(value: unknown): value is Permit {
    return typeof value === 'object' && value !== null && #spent in value;
  }
}
// Whoever replaced `redeem` or `isPermit` would decide for all permits what they are good for.
Object.freeze(Permit);
Object.freeze(Permit.prototype);

/** Not exported from the folder: for `decide` alone. */
export function issuePermit(requestDigest: Digest): Permit {
  return new Permit(FORGE, requestDigest);
}

/** What a permit is bound to: tool, canonical arguments and the very proof. */
export function digestOfRequest(tool: string, argsJcs: string, proof: string): Digest {
  return `sha256:${hash('sha256', `${JSON.stringify(tool)}\n${argsJcs}\n${proof}`, 'hex')}`;
}
