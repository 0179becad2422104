import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, decodeBase64url, encodeBase64url } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { foldGovernance, GovernanceState } from '../governance/index.ts';
import { type PreparedPolicy, parsePolicyBundle, preparePolicy } from '../policy/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import {
  CompactTree,
  checkQuorum,
  hashesEqual,
  leafHash,
  type NoteVerifier,
  openCheckpoint,
  parseVkey,
  verifyConsistency,
  type WitnessPolicy,
} from '../tlog/index.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Home } from './home.ts';
import { readWitnessPolicy } from './witness-policy-file.ts';

/** How many new events one refresh folds at a time. */
const READ_BATCH = 1024;
const MAX_POLICY_BYTES = 2 * 1024 * 1024;

/** Governance knowledge as of one verified checkpoint. */
export interface GovernanceView {
  readonly state: GovernanceState;
  readonly size: number;
  /** base64url of the tree's root hash. */
  readonly rootHash: string;
  readonly checkedAtMs: number;
  readonly policy: PreparedPolicy | undefined;
}

/**
 * Follows the governance log of this machine. INVARIANT: only events under a checkpoint that the domain's governance
 * key has signed, and the witnesses of the domain's policy where it has one, are folded, in order, and the log never goes
 * back. What cannot be verified leaves the view as it was,
 * so that it ages and decisions deny with `revocation.stale`.
 */
export class GovernanceFollower {
  readonly #home: Home;
  readonly #verifier: NoteVerifier;
  readonly #policy: WitnessPolicy | undefined;
  readonly #clock: Clock;
  #reader: SqliteLogReader;
  /** The file that is read. Another one in its place is another log until it has proved to be this one. */
  #inode: number;
  #checkedMonotonicMs = 0;
  #tree = CompactTree.empty();
  #view: GovernanceView;
  #behind = true;
  #problem: Denial | undefined;

  readonly #loadsPolicy: boolean;

  /** @throws LogUnavailable when there is no governance log to read. */
  constructor(
    home: Home,
    verifier: NoteVerifier,
    policy: WitnessPolicy | undefined,
    clock: Clock,
    loadsPolicy: boolean,
  ) {
    this.#loadsPolicy = loadsPolicy;
    this.#home = home;
    this.#inode = inodeOf(home);
    this.#reader = openSqliteLogReader(home.governanceFolder);
    this.#verifier = verifier;
    this.#policy = policy;
    this.#clock = clock;
    this.#view = { state: GovernanceState.empty, size: 0, rootHash: '', checkedAtMs: 0, policy: undefined };
  }

  /** What was known at the last refresh. */
  get view(): GovernanceView {
    return this.#view;
  }

  /** Why the newest governance state could not be verified, if it could not. */
  get problem(): Denial | undefined {
    return this.#problem;
  }

  /** Brings the view up to date where the log has moved; costs a few microseconds where it has not. */
  refresh(): GovernanceView {
    try {
      this.#followFile();
      if (this.#reader.changed()) this.#behind = true;
      this.#problem = this.#behind ? this.#advance() : undefined;
    } catch {
      this.#problem = deny('revocation.stale', 'the governance log cannot be read');
    }
    const wallMs = this.#clock.wallMs();
    const monotonicMs = this.#clock.monotonicMs();
    if (this.#problem === undefined) this.#checkedMonotonicMs = monotonicMs;
    // Knowledge ages by whichever clock says more: a wall clock that is set back makes nothing fresh.
    const checkedAtMs =
      this.#problem === undefined
        ? wallMs
        : Math.min(this.#view.checkedAtMs, Math.floor(wallMs - (monotonicMs - this.#checkedMonotonicMs)));
    this.#view = { ...this.#view, checkedAtMs };
    return this.#view;
  }

  /** Whether an earlier tree head (root in base64url) is one this log has had. */
  extends(size: number, rootHash: string): boolean {
    const root1 = decodeBase64url(rootHash, 'revocation.stale');
    if (isDenial(root1) || !(size >= 0 && size <= this.#tree.size)) return false;
    const size2 = this.#tree.size;
    const proof = this.#reader.consistencyProof(size, size2);
    return verifyConsistency({ size1: size, root1, size2, root2: this.#tree.root(), proof });
  }

  close(): void {
    this.#reader.close();
  }

  /**
   * A restored or replaced log file leaves the old one readable to whoever has it open, and silent for ever: revocations
   * would be written to a file that nobody here reads.
   */
  #followFile(): void {
    // On every refresh, although it costs a system call: a revocation counts from the moment it returns.
    const inode = inodeOf(this.#home);
    if (inode === this.#inode) return;
    const reader = openSqliteLogReader(this.#home.governanceFolder);
    this.#reader.close();
    this.#reader = reader;
    this.#inode = inode;
    this.#behind = true;
  }

  #advance(): Denial | undefined {
    const note = readFileSync(join(this.#home.governanceFolder, 'checkpoint'), 'utf8');
    const witnesses = this.#policy?.witnesses.map(({ verifier }) => verifier);
    const checkpoint = openCheckpoint(note, this.#verifier, witnesses);
    if (isDenial(checkpoint)) return checkpoint;
    const verdict = this.#policy && checkQuorum(this.#policy, checkpoint.cosignatures);
    if (verdict?.met === false) {
      return deny(
        'revocation.stale',
        `the governance log is not witnessed as ${this.#home.witnessPolicyFile} asks: ${verdict.missing}; run "writ log publish"`,
      );
    }
    if (checkpoint.size < this.#view.size) {
      return deny(
        'revocation.stale',
        `the governance log went back from ${this.#view.size} to ${checkpoint.size}`,
      );
    }
    // The tree goes on from what was folded, so another past gives another root, whichever file it is read from. It is
    // advanced on a copy: a log that turns out wrong must leave no trace in it.
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
    if (state.policy === undefined || !this.#loadsPolicy) return undefined;
    const active = this.#view.policy;
    if (active?.bundle.digest === state.policy.digest) return active;
    return loadPolicy(this.#home, state.policy.digest);
  }
}

export interface FollowOptions {
  /** Whether the active policy is loaded, to be evaluated; default: it is. */
  readonly policy?: boolean;
}

/** Follows a home's governance log; denies where it cannot be read or does not verify. */
export function openGovernanceFollower(
  home: Home,
  clock: Clock = systemClock,
  { policy: loadsPolicy = true }: FollowOptions = {},
): GovernanceFollower | Denial {
  const verifier = parseVkey(home.governanceVkey);
  if (isDenial(verifier)) return verifier;
  const policy = readWitnessPolicy(home);
  if (isDenial(policy)) return policy;
  try {
    const follower = new GovernanceFollower(home, verifier, policy, clock, loadsPolicy);
    follower.refresh();
    if (follower.problem === undefined) return follower;
    follower.close();
    return follower.problem;
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny('revocation.stale', `the governance log cannot be opened: ${reason}`);
  }
}

function inodeOf(home: Home): number {
  return statSync(join(home.governanceFolder, 'log.sqlite')).ino;
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
