import { setFlagsFromString } from 'node:v8';
import { isDenial } from '../denial/index.ts';
import { type Home, openReplaySources, type ReplaySources } from '../governor/index.ts';
import { denied } from './cli-error.ts';
import { closeLogs, openLogs } from './decisions.ts';

/** What the recorded decisions of a trust domain are derived from. */
export interface RecordedLogs {
  /** The logs that were asked for, by name. */
  readonly wanted: ReadonlyMap<string, ReplaySources>;
  close(): void;
}

/** Opens the logs of a domain with all that deciding again takes; ends the command where one cannot be read. */
export function openRecorded(home: Home, named: string | undefined): RecordedLogs {
  // What is read is garbage at once: V8 would grow its nursery to 128 MB over it, and be hardly faster.
  setFlagsFromString('--semi-space-growth-factor=1');
  const all = openLogs(home, undefined);
  try {
    // Ends the command where there is no such log.
    if (named !== undefined && !all.has(named)) closeLogs(openLogs(home, named));
    const opened = openReplaySources(home, all);
    if (isDenial(opened)) throw denied(opened, 'run "writ doctor"');
    return {
      wanted: new Map([...opened.sources].filter(([name]) => named === undefined || name === named)),
      close() {
        opened.close();
        closeLogs(all);
      },
    };
  } catch (error) {
    closeLogs(all);
    throw error;
  }
}
