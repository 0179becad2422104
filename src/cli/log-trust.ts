import type { LogCheck } from './log-check.ts';

/** What of a damaged log still can be trusted, and where that ends. */
export function describeTrust({ trusted, entries, firstBad }: LogCheck): string {
  const ends = [
    firstBad.entry === null ? undefined : `entry ${firstBad.entry}`,
    firstBad.tile === null ? undefined : firstBad.tile,
    firstBad.checkpoint === null ? undefined : 'the checkpoint',
  ].filter((end) => end !== undefined);
  const first = ends.length === 0 ? '' : `; first bad: ${ends.join(', ')}`;
  if (trusted === 0) return `can be trusted: nothing${first}`;
  const range = trusted === 1 ? 'entry 0' : `entries 0 to ${trusted - 1}`;
  const whole = trusted === entries ? ', which are all,' : '';
  return `can be trusted: ${range}${whole} as the database has them${first}`;
}
