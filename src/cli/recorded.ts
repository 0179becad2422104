import { setFlagsFromString } from 'node:v8';
import { isDenial } from '../denial/index.ts';
import {
  Erasures,
  findInOtherLogs,
  type Home,
  type ReplaySources,
  readEvidenceKey,
} from '../governor/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
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
  const evidenceKey = readEvidenceKey(home.evidenceKeyFile);
  if (isDenial(evidenceKey)) throw denied(evidenceKey, 'run "writ doctor"');
  const all = openLogs(home, undefined);
  let governance: SqliteLogReader | undefined;
  try {
    const names = named === undefined ? [...all.keys()] : [...openNamed(home, named, all)];
    governance = openSqliteLogReader(home.governanceFolder);
    const erasures = Erasures.read(governance);
    const wanted = new Map<string, ReplaySources>();
    for (const name of names) {
      const log = all.get(name);
      if (log === undefined) continue;
      wanted.set(name, {
        ...{ log, governance, evidenceKey },
        readEvidence: (address) => log.readEvidence(address, evidenceKey),
        whyMissing: (kind, index, { id }) =>
          kind === 'request' && erasures.cover(log.origin, index, id) ? 'erased' : 'lost',
        findElsewhere: (id, atMs, state) => findInOtherLogs(all, name, id, atMs, state),
      });
    }
    const opened = governance;
    return {
      wanted,
      close() {
        closeLogs(all);
        opened.close();
      },
    };
  } catch (error) {
    closeLogs(all);
    governance?.close();
    throw error;
  }
}

/** The name, if there is such a log; ends the command otherwise. */
function openNamed(home: Home, named: string, all: ReadonlyMap<string, SqliteLogReader>): readonly string[] {
  if (!all.has(named)) closeLogs(openLogs(home, named));
  return [named];
}
