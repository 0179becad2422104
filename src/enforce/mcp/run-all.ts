import { deny } from '../../denial/index.ts';
import type { Action, CallerTrace, CallGovernor, Effect, Outcome } from './ports.ts';

/**
 * Runs one effect under several permits: each action is decided inside the permitted effect of the one before it, so
 * that all authorities stand for as long as the effect lasts and any of them can stop it. The first denial wins.
 *
 * @param actions at least one; each is made when it is decided, because proofs age.
 */
export async function runAll<T>(
  governor: CallGovernor,
  actions: readonly (() => Action)[],
  effect: Effect<T>,
  caller?: CallerTrace,
): Promise<Outcome<T>> {
  const [first, ...rest] = actions;
  if (first === undefined) throw new TypeError('no action to run');
  if (rest.length === 0) return governor.run(first(), effect, caller);
  const act: Effect<Outcome<T>> = async (execution) => {
    let started = false;
    const both: Effect<T> = ({ signal }) => {
      started = true;
      return effect({ id: execution.id, signal: AbortSignal.any([execution.signal, signal]) });
    };
    const inner = await runAll(governor, rest, both, caller);
    if (inner.verdict === 'permit') return { status: 'succeeded', value: inner };
    return started
      ? { status: 'unknown', value: inner, note: 'another part of the request was stopped' }
      : { status: 'failed', value: inner, note: 'another part of the request was denied' };
  };
  const outer = await governor.run(first(), act, caller);
  return outer.verdict === 'permit' ? outer.value : outer;
}

/** What the caller hears, once, when the governor itself fails: whatever went wrong is a denial. */
export const GOVERNOR_FAILED: Outcome<never> = {
  verdict: 'deny',
  executionId: '',
  denial: deny('internal.unexpected', 'governor failed'),
  receiptIndex: undefined,
};

/** The receipt a caller may be told of: none where the decision could not be recorded. */
export function receiptOf(outcome: Outcome<unknown>): string | undefined {
  return outcome.receiptIndex === undefined ? undefined : outcome.executionId;
}
