import { type Denial, deny } from '../denial/index.ts';
import { GOVERNANCE_EVENT, type GovernanceEvent } from '../governance/index.ts';

/** A governance event as its author states it. */
export type NewGovernanceEvent = GovernanceEvent extends infer Event
  ? Event extends GovernanceEvent
    ? Omit<Event, 'type'>
    : never
  : never;

/** Whoever appends to the governance log. */
export interface GovernanceWriter {
  /** All of the events or none; in force, for every follower, when this resolves. Gives the new epoch. */
  append(events: readonly NewGovernanceEvent[]): Promise<number | Denial>;
}

export function completeEvent(event: NewGovernanceEvent): GovernanceEvent {
  return { type: GOVERNANCE_EVENT, ...event } as GovernanceEvent;
}

/** Recorded, but without the cosignatures that would put it in force. */
export function notInForceYet(cause: Error): Denial {
  return deny(
    'log.unavailable',
    `it is recorded but not in force yet: ${cause.message}. It comes into force with the next checkpoint of the governance log: run "writ log publish" when the witnesses are back, and do not repeat the command`,
  );
}
