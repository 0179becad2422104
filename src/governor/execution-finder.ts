import { setTimeout as sleep } from 'node:timers/promises';
import type { EnrolledLog, GovernanceState } from '../governance/index.ts';
import type { ParentFact } from '../lineage/index.ts';
import { type LogReader, leafHash, verifyInclusion } from '../tlog/index.ts';
import { type Home, isLocalName } from './home.ts';
import { factOfDecision, findDecision } from './parent-fact.ts';
import { type SiblingAnswer, SiblingLog } from './sibling-log.ts';

/** Logs kept open at once. */
const MAX_SIBLINGS = 256;
const MAX_ID_CHARACTERS = 64;

/** A running log publishes once a second. */
const AWAIT_MS = 3000;
const AWAIT_STEP_MS = 50;
const MAX_WAITING = 64;

/**
 * Finds executions by id in this node's log and in the other logs that the domain has enrolled. INVARIANT: what stands in
 * a log is believed under its tree head alone: the one in memory of our own, the last signed checkpoint of another's.
 * Outcomes only ever take away, so they are believed as they stand.
 */
export class ExecutionFinder {
  readonly #home: Home;
  readonly #own: LogReader;
  readonly #ownOrigin: string;
  readonly #governance: () => GovernanceState;
  readonly #siblings = new Map<string, SiblingLog>();
  #waiting = 0;

  constructor(home: Home, own: LogReader, ownName: string, governance: () => GovernanceState) {
    this.#home = home;
    this.#own = own;
    this.#ownOrigin = home.executionOrigin(ownName);
    this.#governance = governance;
  }

  /** The fact of a permitted or denied execution; undefined where no log that can be checked knows it. */
  find(executionId: string): ParentFact | undefined {
    if (executionId.length > MAX_ID_CHARACTERS) return undefined;
    const governance = this.#governance();
    const own = this.#findOwn(executionId, governance);
    if (own !== undefined) return own;
    for (const answer of this.#askSiblings(executionId, governance)) {
      if (answer !== undefined && answer !== 'uncovered') {
        return factOfDecision(answer.entries, answer, governance);
      }
    }
    return undefined;
  }

  /** Waits until a checkpoint covers an execution that an enrolled log already has; false where none has it. */
  async awaitCovered(executionId: string): Promise<boolean> {
    if (executionId.length > MAX_ID_CHARACTERS || this.#waiting >= MAX_WAITING) return false;
    this.#waiting += 1;
    try {
      for (let waitedMs = 0; waitedMs < AWAIT_MS; waitedMs += AWAIT_STEP_MS) {
        const answers = [...this.#askSiblings(executionId, this.#governance())];
        if (answers.some((answer) => answer !== undefined && answer !== 'uncovered')) return true;
        if (!answers.includes('uncovered')) return false;
        await sleep(AWAIT_STEP_MS);
      }
      return false;
    } finally {
      this.#waiting -= 1;
    }
  }

  close(): void {
    for (const sibling of this.#siblings.values()) sibling.close();
    this.#siblings.clear();
  }

  #findOwn(executionId: string, governance: GovernanceState): ParentFact | undefined {
    const { size, rootHash } = this.#own.head();
    const known = {
      lookup: (key: string) => this.#own.lookup(key).filter((index) => index < size),
      read: (start: number, count: number) => this.#own.read(start, count),
    };
    const found = findDecision(known, executionId, this.#ownOrigin);
    if (found === undefined) return undefined;
    const { index, entry } = found;
    const proof = this.#own.inclusionProof(index, size);
    if (!verifyInclusion({ leafHash: leafHash(entry), index, size, rootHash, proof })) return undefined;
    return factOfDecision(known, found, governance);
  }

  *#askSiblings(executionId: string, governance: GovernanceState): Generator<SiblingAnswer> {
    for (const enrolled of governance.logs) {
      const sibling = this.#siblingOf(enrolled);
      if (sibling !== undefined) yield sibling.find(executionId, enrolled);
    }
  }

  /** Another execution log of this domain, in its place under the home. */
  #siblingOf({ origin }: EnrolledLog): SiblingLog | undefined {
    const name = origin.slice(this.#home.executionOrigin('').length);
    if (origin === this.#ownOrigin || !isLocalName(name) || origin !== this.#home.executionOrigin(name)) {
      return undefined;
    }
    let sibling = this.#siblings.get(name);
    if (sibling === undefined && this.#siblings.size < MAX_SIBLINGS) {
      sibling = new SiblingLog(this.#home.executionLogFolder(name), origin);
      this.#siblings.set(name, sibling);
    }
    return sibling;
  }
}
