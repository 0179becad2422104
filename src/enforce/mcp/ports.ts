import type { Presenter } from '../../artifact/index.ts';
import type { Action } from '../../decision/index.ts';
import type {
  CallerTrace,
  Effect,
  EffectResult,
  Execution,
  Governor,
  Outcome,
} from '../../governor/index.ts';

export type { Action, CallerTrace, Effect, EffectResult, Execution, Outcome, Presenter };

/** The part of the governor that the gateway leans on. */
export type CallGovernor = Pick<Governor, 'run'>;

/** For the operator's terminal: fixed text, never a value from a message. */
export type Diagnose = (event: string) => void;
