import type { Presentation } from '../../artifact/index.ts';
import type { JsonObject } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import type { Denial } from '../../denial/index.ts';
import type { Effect, EffectResult, Execution, Governor, Outcome } from '../../governor/index.ts';

export type { Action, Effect, EffectResult, Execution, Outcome };

/** The part of the governor that the gateway leans on. */
export type CallGovernor = Pick<Governor, 'run'>;

/** Beside the agent: holds its key and artifact, signs one proof per call. The key is nowhere else. */
export interface Presenter {
  /** @param parent id of the execution this call follows from. */
  present(tool: string, args: JsonObject, parent?: string): Presentation | Denial;
  /** Whether the artifact names this tool at all: what lists show. Not an authorization. */
  grants(tool: string): boolean;
}

/** For the operator's terminal: fixed text, never a value from a message. */
export type Diagnose = (event: string) => void;
