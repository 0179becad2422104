import { encodeBase64url } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { foldGovernance, GovernanceState } from '../../governance/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import { CompactTree, type LogReader, leafHash } from '../../tlog/index.ts';

const READ_BATCH = 256;

/** The governance log as it stood at any size. Cheapest when sizes are asked for in ascending order. */
export class GovernanceHistory {
  readonly #log: Pick<LogReader, 'read'>;
  #state = GovernanceState.empty;
  #tree = CompactTree.empty();

  constructor(log: Pick<LogReader, 'read'>) {
    this.#log = log;
  }

  /** @returns a denial where this log never stood at that size with that root. */
  at({ size, rootHash }: DecisionReceipt['governance']): GovernanceState | Denial {
    if (this.#state.epoch > size) {
      this.#state = GovernanceState.empty;
      this.#tree = CompactTree.empty();
    }
    while (this.#state.epoch < size) {
      const { epoch } = this.#state;
      const entries = this.#log.read(epoch, Math.min(READ_BATCH, size - epoch));
      if (entries.length === 0) {
        return deny('revocation.stale', 'the governance log is shorter than the receipt says');
      }
      const next = foldGovernance(entries, this.#state);
      if (isDenial(next)) return next;
      this.#state = next;
      for (const entry of entries) this.#tree.append(leafHash(entry));
    }
    return encodeBase64url(this.#tree.root()) === rootHash
      ? this.#state
      : deny('revocation.stale', 'the governance log is not the one the receipt names');
  }
}
