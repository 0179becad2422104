import { type Denial, isDenial } from '../../denial/index.ts';
import { FAULTS, type Fault } from './answer.ts';
import type { EffectResult } from './ports.ts';

/** How the effect of a governed request ended, when not in some way of its own. */
export type EffectEnd =
  | { readonly kind: 'delivered' | 'cancelled' }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'stopped'; readonly denial: Denial };

export function faultEffect(fault: Fault): EffectResult<EffectEnd> {
  return {
    status: fault.effect === 'none' ? 'failed' : 'unknown',
    value: { kind: 'fault', fault },
    note: fault.note,
  };
}

/**
 * The effect was stopped, or not started, by the governor.
 *
 * @param reason the denial that the authority ended with; anything else means that the governor closes.
 * @param status `failed` where nothing was forwarded yet.
 */
export function stoppedEffect(reason: unknown, status: 'failed' | 'unknown'): EffectResult<EffectEnd> {
  if (!isDenial(reason)) return { ...faultEffect(FAULTS.closing), status };
  return { status, value: { kind: 'stopped', denial: reason }, note: 'stopped: its authority ended' };
}

/** The client no longer wanted an answer; what the upstream did is what it says itself, if it does. */
export function cancelled(status: EffectResult<unknown>['status']): EffectResult<EffectEnd> {
  return { status, value: { kind: 'cancelled' }, note: 'cancelled by the client' };
}

export function cancelledBeforehand(): EffectResult<EffectEnd> {
  return { status: 'failed', value: { kind: 'cancelled' }, note: 'cancelled before it was forwarded' };
}
