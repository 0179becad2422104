import { encodeBase64url } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type GovernanceState, parseGovernanceEvent } from '../governance/index.ts';
import type { GovernanceFacts, GovernanceRecord } from '../lineage/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { CompactTree, leafHash } from '../tlog/index.ts';
import type { GovernanceView } from './governance-follower.ts';
import type { Home } from './home.ts';

const READ_BATCH = 1024;

/** Who did what, entry by entry: what the state that folds out of the log no longer says. */
export class GovernanceHistory implements GovernanceFacts {
  readonly #state: GovernanceState;
  readonly #publications = new Map<string, GovernanceRecord[]>();
  readonly #issuances = new Map<string, GovernanceRecord>();

  private constructor(state: GovernanceState) {
    this.#state = state;
  }

  /** Reads the entries below a verified view. INVARIANT: only if they are those its signed checkpoint covers. */
  static read(home: Home, view: GovernanceView): GovernanceHistory | Denial {
    const history = new GovernanceHistory(view.state);
    const tree = CompactTree.empty();
    const reader = openSqliteLogReader(home.governanceFolder);
    try {
      while (tree.size < view.size) {
        const entries = reader.read(tree.size, Math.min(READ_BATCH, view.size - tree.size));
        if (entries.length === 0) break;
        for (const entry of entries) {
          const problem = history.#add(entry, tree.size);
          if (problem !== undefined) return problem;
          tree.append(leafHash(entry));
        }
      }
    } finally {
      reader.close();
    }
    return encodeBase64url(tree.root()) === view.rootHash
      ? history
      : deny('revocation.stale', 'the governance log does not match its signed checkpoint');
  }

  subjectsOf(thumbprint: string): readonly string[] {
    return this.#state.subjectsOf(thumbprint);
  }

  publicationOf(digest: string, size: number): GovernanceRecord | undefined {
    return this.#publications.get(digest)?.findLast(({ index }) => index < size);
  }

  issuanceOf(tokenId: string): GovernanceRecord | undefined {
    return this.#issuances.get(tokenId);
  }

  #add(entry: Uint8Array, index: number): Denial | undefined {
    const event = parseGovernanceEvent(entry);
    if (isDenial(event)) return event;
    const record = { actor: event.actor, atSeconds: event.at, index };
    if (event.event === 'policy.published') {
      const earlier = this.#publications.get(event.digest);
      if (earlier === undefined) this.#publications.set(event.digest, [record]);
      else earlier.push(record);
    } else if (event.event === 'artifact.issued' && !this.#issuances.has(event.jti)) {
      this.#issuances.set(event.jti, record);
    }
    return undefined;
  }
}
