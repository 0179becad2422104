import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { foldGovernance, type GovernanceState } from '../../governance/index.ts';
import { type BundledGovernance, MAX_BUNDLED_EVENTS } from '../../receipt/index.ts';
import type { SqliteLogReader } from '../../storage/index.ts';
import { openCheckpoint, parseVkey } from '../../tlog/index.ts';
import type { Home } from '../home.ts';
import { readCheckpointNote } from '../signed-head.ts';

/** Half of what a bundle may have. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;

/**
 * The governance log as far as decisions need it: up to the newest size one of them stood on, and until every log they
 * are in is enrolled.
 *
 * @param size the newest size a decision stood on.
 * @param origins of the execution logs that hold the decisions.
 */
export function packGovernance(
  home: Home,
  reader: SqliteLogReader,
  size: number,
  origins: ReadonlySet<string>,
): BundledGovernance | Denial {
  const verifier = parseVkey(home.governanceVkey);
  if (isDenial(verifier)) return verifier;
  const note = readCheckpointNote(home.governanceFolder);
  if (note === undefined) return deny('revocation.stale', 'the governance log has no checkpoint');
  const checkpoint = openCheckpoint(note, verifier);
  if (isDenial(checkpoint)) return checkpoint;
  const entries = reader.read(0, Math.min(size, MAX_BUNDLED_EVENTS + 1));
  let state: GovernanceState | Denial = foldGovernance(entries);
  while (!isDenial(state) && entries.length < checkpoint.size && lacksLog(state, origins)) {
    const [next] = reader.read(entries.length, 1);
    if (next === undefined || entries.length > MAX_BUNDLED_EVENTS) break;
    entries.push(next);
    state = foldGovernance([next], state);
  }
  if (isDenial(state)) return state;
  if (entries.length < size || checkpoint.size < entries.length) {
    return deny('revocation.stale', 'no checkpoint covers the governance log that the decision stood on');
  }
  const bytes = entries.reduce((sum, entry) => sum + entry.byteLength, 0);
  if (entries.length > MAX_BUNDLED_EVENTS || bytes > MAX_EVENT_BYTES) {
    return deny(
      'request.too_large',
      `the governance log has ${entries.length} events of ${bytes} bytes: a bundle holds ${MAX_BUNDLED_EVENTS} of ${MAX_EVENT_BYTES}`,
    );
  }
  return {
    vkey: home.governanceVkey,
    checkpoint: note,
    consistency: reader
      .consistencyProof(entries.length, checkpoint.size)
      .map((hash) => Buffer.from(hash).toString('base64')),
    entries: entries.map((entry) => Buffer.from(entry).toString('utf8')),
  };
}

function lacksLog(state: GovernanceState, origins: ReadonlySet<string>): boolean {
  return [...origins].some((origin) => state.logByOrigin(origin) === undefined);
}
