import { setTimeout as sleep } from 'node:timers/promises';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import { readKeyFile } from '../../key/index.ts';
import { LogLocked, openSqliteLogReader, type SqliteLogReader, withSqliteLog } from '../../storage/index.ts';
import { formatVkey, noteVerifier, openCheckpoint } from '../../tlog/index.ts';
import { systemClock } from '../clock.ts';
import { type ExecutionRecord, listExecutionLogs, readExecution } from '../execution-record.ts';
import { openGovernanceFollower } from '../governance-follower.ts';
import type { Home } from '../home.ts';
import { readCheckpointNote } from '../signed-head.ts';
import { cosignerFor } from '../witness-policy-file.ts';

const CHECKPOINT_WAIT_MS = 100;
const MAX_CHECKPOINT_WAITS = 50;

/** An execution and the log that holds it. */
export interface FoundExecution {
  readonly log: string;
  readonly record: ExecutionRecord;
}

/** A signed checkpoint and the size of its tree. */
export interface SignedHead {
  readonly note: string;
  readonly size: number;
}

/** The execution logs that a domain has enrolled, open for reading. A folder that somebody put beside them is none. */
export class DomainLogs {
  readonly #home: Home;
  readonly #state: GovernanceState;
  readonly #readers: ReadonlyMap<string, SqliteLogReader>;

  private constructor(home: Home, state: GovernanceState, readers: ReadonlyMap<string, SqliteLogReader>) {
    this.#home = home;
    this.#state = state;
    this.#readers = readers;
  }

  /** @param known the governance state, where it has been followed already. */
  static open(home: Home, known?: GovernanceState): DomainLogs | Denial {
    const state = known ?? followedState(home);
    if (isDenial(state)) return state;
    const readers = new Map<string, SqliteLogReader>();
    for (const log of listExecutionLogs(home)) {
      if (state.logByOrigin(home.executionOrigin(log)) === undefined) continue;
      try {
        readers.set(log, openSqliteLogReader(home.executionLogFolder(log)));
      } catch {
        // A damaged log says nothing here; `writ log verify` tells what is wrong with it.
      }
    }
    return new DomainLogs(home, state, readers);
  }

  get names(): readonly string[] {
    return [...this.#readers.keys()];
  }

  /** @throws LogUnavailable for a log that is not open here. */
  reader(log: string): SqliteLogReader {
    const reader = this.#readers.get(log);
    if (reader === undefined) throw new TypeError(`log ${log} is not open`);
    return reader;
  }

  find(executionId: string): FoundExecution | undefined {
    for (const [log, reader] of this.#readers) {
      try {
        const record = readExecution(reader, executionId);
        if (record !== undefined) return { log, record };
      } catch {
        // Damaged: as above.
      }
    }
    return undefined;
  }

  /** The published checkpoint, or a new one where none covers the entry and no gateway is there to publish it. */
  async coveringHead(log: string, index: number): Promise<SignedHead | Denial> {
    // Only the key the domain knows the log by: a key made here and now would vouch for whatever stands in the folder.
    const signer = readKeyFile(this.#home.logKeyFile(log));
    if (isDenial(signer)) return signer;
    const origin = this.#home.executionOrigin(log);
    const vkeys = this.#state.logByOrigin(origin)?.vkeys ?? [];
    if (!vkeys.includes(formatVkey(origin, signer.publicKey))) {
      return deny('log.unavailable', `${origin} is no log of the domain under the key at hand`);
    }
    const directory = this.#home.executionLogFolder(log);
    const verifier = noteVerifier(origin, signer.publicKey);
    const cosigner = cosignerFor(this.#home, verifier);
    if (isDenial(cosigner)) return cosigner;
    const options = { directory, origin, signer, lockTimeoutMs: 0, ...(cosigner && { cosigner }) };
    for (let wait = 0; wait < MAX_CHECKPOINT_WAITS; wait += 1) {
      const note = readCheckpointNote(directory);
      const checkpoint = note === undefined ? undefined : openCheckpoint(note, verifier);
      if (isDenial(checkpoint)) return checkpoint;
      const isAccepted = note !== undefined && (cosigner?.check(note).met ?? true);
      if (isAccepted && checkpoint !== undefined && checkpoint.size > index) {
        return { note, size: checkpoint.size };
      }
      try {
        await withSqliteLog(options, (open) => open.checkpoint());
      } catch (error) {
        if (!(error instanceof LogLocked)) throw error;
        // A running gateway publishes within its interval.
        await sleep(CHECKPOINT_WAIT_MS);
      }
    }
    return deny('log.unavailable', 'no published checkpoint covers the execution yet: try again in a moment');
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
  }
}

function followedState(home: Home): GovernanceState | Denial {
  const follower = openGovernanceFollower(home, systemClock, { policy: false });
  if (isDenial(follower)) return follower;
  follower.close();
  return follower.view.state;
}
