import { type Denial, isDenial } from '../../denial/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import { Erasures } from '../evidence/erasures.ts';
import { readEvidenceKey } from '../evidence-key.ts';
import type { Home } from '../home.ts';
import { findInOtherLogs } from './find-in-other-logs.ts';
import type { ReplaySources } from './replay-log.ts';

/** What the recorded decisions of logs are derived from. */
export interface OpenedReplaySources {
  /** By the name of the log. */
  readonly sources: ReadonlyMap<string, ReplaySources>;
  /** Closes what was opened here; the readers of the logs are their opener's. */
  close(): void;
}

/**
 * @param all readers of the domain's logs, by name: parents are looked up in all of them.
 * @returns a denial where the evidence key cannot be read. @throws LogUnavailable where the governance log cannot.
 */
export function openReplaySources(
  home: Home,
  all: ReadonlyMap<string, SqliteLogReader>,
): OpenedReplaySources | Denial {
  const evidenceKey = readEvidenceKey(home.evidenceKeyFile);
  if (isDenial(evidenceKey)) return evidenceKey;
  const governance = openSqliteLogReader(home.governanceFolder);
  try {
    const erasures = Erasures.read(governance);
    const sources = new Map<string, ReplaySources>();
    for (const [name, log] of all) {
      sources.set(name, {
        ...{ log, governance, evidenceKey },
        readEvidence: (address) => log.readEvidence(address, evidenceKey),
        whyMissing: (kind, index, { id }) =>
          kind === 'request' && erasures.cover(log.origin, index, id) ? 'erased' : 'lost',
        findElsewhere: (id, atMs, state) => findInOtherLogs(all, name, id, atMs, state),
      });
    }
    return { sources, close: () => governance.close() };
  } catch (error) {
    governance.close();
    throw error;
  }
}
