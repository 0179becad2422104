import { isDenial } from '../../denial/index.ts';
import { parseGovernanceEvent } from '../../governance/index.ts';
import type { LogReader } from '../../tlog/index.ts';

const READ_BATCH = 256;

/** Which evidence the governance log says was erased. */
export class Erasures {
  readonly #executions = new Map<string, Set<string>>();
  readonly #before = new Map<string, number>();

  /** Reads a governance log; entries that are none of its events are passed over, since replaying finds those. */
  static read(governance: Pick<LogReader, 'head' | 'read'>): Erasures {
    const erasures = new Erasures();
    const { size } = governance.head();
    for (let start = 0; start < size; start += READ_BATCH) {
      for (const entry of governance.read(start, Math.min(READ_BATCH, size - start))) {
        const event = parseGovernanceEvent(entry);
        if (isDenial(event) || event.event !== 'evidence.erased') continue;
        const { log, executions = [], beforeIndex = 0 } = event;
        erasures.#before.set(log, Math.max(beforeIndex, erasures.#before.get(log) ?? 0));
        const known = erasures.#executions.get(log) ?? new Set();
        for (const id of executions) known.add(id);
        erasures.#executions.set(log, known);
      }
    }
    return erasures;
  }

  /** Whether the request of a decision, at that index of a log, was erased on record. */
  cover(log: string, index: number, executionId: string): boolean {
    return index < (this.#before.get(log) ?? 0) || (this.#executions.get(log)?.has(executionId) ?? false);
  }
}
