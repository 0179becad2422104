import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import type { VerifiedChain } from './verified-chain.ts';

/** A count that one call moves; whoever records the call adds `amount` atomically or refuses past `limit`. */
export interface Counter {
  /** The token that carries the limit; together with `name` the identity of the counter. */
  readonly tokenHash: string;
  readonly name: 'uses' | `budget:${string}`;
  readonly limit: number;
  readonly amount: number;
}

/** From here on a double no longer tells millionths apart, so fractions could be spent without being counted. */
const MAX_FRACTIONAL_TOTAL = 1_000_000_000;

/**
 * The counters that a call moves: `writ.use.maxUses` and `writ.use.budgets` of every token of the chain.
 *
 * @returns `scope.arguments_not_granted` where a budgeted argument is absent or not a finite non-negative number with
 *   at most six decimals (none for a budget over a thousand million).
 */
export function requiredCounters(chain: VerifiedChain, args: JsonObject): readonly Counter[] | Denial {
  const counters: Counter[] = [];
  for (const { hash: tokenHash, writ, depth } of chain.tokens) {
    const { maxUses, budgets = [] } = writ.use ?? {};
    if (maxUses !== undefined) counters.push({ tokenHash, name: 'uses', limit: maxUses, amount: 1 });
    for (const { argument, total } of budgets) {
      const amount = Object.hasOwn(args, argument) ? args[argument] : undefined;
      if (typeof amount !== 'number' || !isCountable(amount, total)) {
        return deny(
          'scope.arguments_not_granted',
          `argument ${JSON.stringify(argument)} cannot be counted against its budget at depth ${depth}`,
        );
      }
      counters.push({ tokenHash, name: `budget:${argument}`, limit: total, amount });
    }
  }
  return counters;
}

function isCountable(amount: number, total: number): boolean {
  if (!Number.isFinite(amount) || amount < 0) return false;
  if (Number.isSafeInteger(amount)) return true;
  return total <= MAX_FRACTIONAL_TOTAL && Number(amount.toFixed(6)) === amount;
}
