import { encodeBase64url } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { foldGovernance, GovernanceState } from '../../governance/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import { CompactTree, type LogReader, leafHash } from '../../tlog/index.ts';

const READ_BATCH = 256;
/** Decisions stand in a log in the order they became durable: some of them stood on a little less than those before. */
const REMEMBERED = 64;

interface Moment {
  readonly state: GovernanceState;
  readonly rootHash: string;
}

/** The governance log as it stood at any size. Cheap when sizes are asked for in ascending order, or nearly so. */
export class GovernanceTimeline {
  readonly #log: Pick<LogReader, 'read'>;
  /** The last moments, by size, ascending. States share what they have in common. */
  readonly #moments = new Map<number, Moment>();
  #state = GovernanceState.empty;
  #tree = CompactTree.empty();

  constructor(log: Pick<LogReader, 'read'>) {
    this.#log = log;
    this.#remember();
  }

  /** @returns a denial where this log never stood at that size with that root. */
  at({ size, rootHash }: DecisionReceipt['governance']): GovernanceState | Denial {
    if (this.#state.epoch > size && !this.#moments.has(size)) this.#restart();
    while (this.#state.epoch < size) {
      const { epoch } = this.#state;
      const entries = this.#log.read(epoch, Math.min(READ_BATCH, size - epoch));
      if (entries.length === 0) {
        return deny('revocation.stale', 'the governance log is shorter than the receipt says');
      }
      for (const entry of entries) {
        const next = foldGovernance([entry], this.#state);
        if (isDenial(next)) return next;
        this.#state = next;
        this.#tree.append(leafHash(entry));
        this.#remember();
      }
    }
    const moment = this.#moments.get(size);
    return moment !== undefined && moment.rootHash === rootHash
      ? moment.state
      : deny('revocation.stale', 'the governance log is not the one the receipt names');
  }

  #restart(): void {
    this.#moments.clear();
    this.#state = GovernanceState.empty;
    this.#tree = CompactTree.empty();
    this.#remember();
  }

  #remember(): void {
    this.#moments.set(this.#state.epoch, {
      state: this.#state,
      rootHash: encodeBase64url(this.#tree.root()),
    });
    const [oldest] = this.#moments.keys();
    if (this.#moments.size > REMEMBERED && oldest !== undefined) this.#moments.delete(oldest);
  }
}
