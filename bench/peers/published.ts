import { setTimeout } from 'node:timers/promises';

/** A log publishes at most a second after an append. */
const PUBLISHED_AFTER_MS = 1200;

/** Waits until what was appended to a running log is published: that goes on beside whoever is timed next. */
export function published(): Promise<void> {
  return setTimeout(PUBLISHED_AFTER_MS);
}
