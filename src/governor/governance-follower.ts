import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../codec/index.ts';
import { encodeBase64url } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { foldGovernance, GovernanceState } from '../governance/index.ts';
import { type PreparedPolicy, parsePolicyBundle, preparePolicy } from '../policy/index.ts';
import type { SqliteLogReader } from '../storage/index.ts';
import { CompactTree, hashesEqual, leafHash, type NoteVerifier, openCheckpoint } from '../tlog/index.ts';
import type { Clock } from './clock.ts';
import type { Home } from './home.ts';

/** How many new events one refresh folds at a time. */
const READ_BATCH = 1024;
const MAX_POLICY_BYTES = 2 * 1024 * 1024;

/** Governance knowledge as of one verified checkpoint. */
export interface GovernanceView {
  readonly state: GovernanceState;
  readonly size: number;
  /** base64 of the tree's root hash. */
  readonly rootHash: string;
  readonly checkedAtMs: number;
  readonly policy: PreparedPolicy | undefined;
}

/**
 * Follows the governance log of this machine. INVARIANT: only events under a checkpoint that the domain's governance
 * key has signed are folded, in order, and the log never goes back. What cannot be verified leaves the view as it was,
 * so that it ages and decisions deny with `revocation.stale`.
 */
export class GovernanceFollower {
  readonly #home: Home;
  readonly #reader: SqliteLogReader;
  readonly #verifier: NoteVerifier;
  readonly #clock: Clock;
  #tree = CompactTree.empty();
  #view: GovernanceView;
  #behind = true;
  #problem: Denial | undefined;

  constructor(home: Home, reader: SqliteLogReader, verifier: NoteVerifier, clock: Clock) {
    this.#home = home;
    this.#reader = reader;
    this.#verifier = verifier;
    this.#clock = clock;
    this.#view = { state: GovernanceState.empty, size: 0, rootHash: '', checkedAtMs: 0, policy: undefined };
  }

  /** Why the newest governance state could not be verified, if it could not. */
  get problem(): Denial | undefined {
    return this.#problem;
  }

  /** Brings the view up to date where the log has moved; costs a few microseconds where it has not. */
  refresh(): GovernanceView {
    try {
      if (this.#reader.changed()) this.#behind = true;
      this.#problem = this.#behind ? this.#advance() : undefined;
    } catch {
      this.#problem = deny('revocation.stale', 'the governance log cannot be read');
    }
    if (this.#problem === undefined) this.#view = { ...this.#view, checkedAtMs: this.#clock.wallMs() };
    return this.#view;
  }

  close(): void {
    this.#reader.close();
  }

  #advance(): Denial | undefined {
    const note = readFileSync(join(this.#home.governanceFolder, 'checkpoint'), 'utf8');
    const checkpoint = openCheckpoint(note, this.#verifier);
    if (isDenial(checkpoint)) return checkpoint;
    if (checkpoint.size < this.#view.size) {
      return deny(
        'revocation.stale',
        `the governance log went back from ${this.#view.size} to ${checkpoint.size}`,
      );
    }
    // The tree is advanced on a copy: a log that turns out wrong must leave no trace in it.
    const tree = this.#tree.clone();
    let state: GovernanceState | Denial = this.#view.state;
    while (tree.size < checkpoint.size) {
      const entries = this.#reader.read(tree.size, Math.min(READ_BATCH, checkpoint.size - tree.size));
      if (entries.length === 0)
        return deny('revocation.stale', 'the governance log lacks entries it has signed for');
      for (const entry of entries) tree.append(leafHash(entry));
      state = foldGovernance(entries, state);
      if (isDenial(state)) return state;
    }
    if (!hashesEqual(tree.root(), checkpoint.rootHash)) {
      return deny('revocation.stale', 'the governance log does not match its signed checkpoint');
    }
    this.#tree = tree;
    this.#view = {
      state,
      size: tree.size,
      rootHash: encodeBase64url(tree.root()),
      checkedAtMs: this.#view.checkedAtMs,
      policy: this.#policyOf(state),
    };
    // An event may be committed and its checkpoint still on the way: then look again next time.
    this.#behind = this.#reader.head().size > checkpoint.size;
    return undefined;
  }

  #policyOf(state: GovernanceState): PreparedPolicy | undefined {
    if (state.policy === undefined) return undefined;
    const active = this.#view.policy;
    if (active?.bundle.digest === state.policy.digest) return active;
    return loadPolicy(this.#home, state.policy.digest);
  }
}

/** The bundle with this digest from the domain's policy folder; undefined where its bytes are missing or altered. */
export function loadPolicy(home: Home, digest: Digest): PreparedPolicy | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(home.policyFile(digest));
  } catch {
    return undefined;
  }
  if (bytes.byteLength > MAX_POLICY_BYTES) return undefined;
  const bundle = parsePolicyBundle(bytes);
  return isDenial(bundle) || bundle.digest !== digest ? undefined : preparePolicy(bundle);
}
