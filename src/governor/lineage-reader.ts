import { encodeBase64url } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  type LineageEntry,
  lineageEntryOf,
  type Selection,
  selectAround,
  type VerificationLevel,
} from '../lineage/index.ts';
import {
  DECISION_RECEIPT,
  type DecisionReceipt,
  type OutcomeReceipt,
  parseDecisionReceipt,
  parseOutcomeReceipt,
} from '../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import { leafHash, verifyInclusion } from '../tlog/index.ts';
import { openGovernanceFollower } from './governance-follower.ts';
import { GovernanceHistory } from './governance-history.ts';
import { type Home, isLocalName } from './home.ts';
import { readSignedHead, type SignedHead } from './signed-head.ts';
import { readWitnessPolicy } from './witness-policy-file.ts';

/** Executions of one lineage that are held at once while it is gathered; what is more is counted. */
const MAX_LINKS = 200_000;
const BATCH = 512;

interface OpenLog {
  readonly name: string;
  readonly reader: SqliteLogReader;
  readonly head: SignedHead | undefined;
}

interface Place {
  readonly log: OpenLog;
  readonly index: number;
  readonly executionId: string;
  readonly parentId?: string;
}

/** A decision as a log has it. */
export interface LoggedDecision {
  readonly log: string;
  readonly receipt: DecisionReceipt;
  /** Looks its outcome up. */
  readonly end: () => OutcomeReceipt | undefined;
}

/** What was read around an execution. */
export interface LineageAround extends Omit<Selection<Place>, 'chosen'> {
  readonly entries: readonly LineageEntry[];
  /** Receipts under an id that another has already: none but a forger writes such. */
  readonly repeated: number;
}

/**
 * Reads executions from all logs that the domain has enrolled, each with what vouches for it. A folder that somebody put
 * among them is no log of the domain. Methods throw LogUnavailable where a log is damaged.
 */
export class LineageReader {
  /** Enrolled logs that cannot be opened: what they hold is missing. */
  readonly unreadable: readonly string[];
  readonly #logs: readonly OpenLog[];
  readonly #history: GovernanceHistory;

  private constructor(history: GovernanceHistory, logs: readonly OpenLog[], unreadable: readonly string[]) {
    this.#history = history;
    this.#logs = logs;
    this.unreadable = unreadable;
  }

  /** Denies where the governance log does not verify: then nobody knows which logs are the domain's. */
  static open(home: Home): LineageReader | Denial {
    const follower = openGovernanceFollower(home);
    if (isDenial(follower)) return follower;
    follower.close();
    const history = GovernanceHistory.read(home, follower.view);
    if (isDenial(history)) return history;
    const policy = readWitnessPolicy(home);
    if (isDenial(policy)) return policy;
    const logs: OpenLog[] = [];
    const unreadable: string[] = [];
    for (const { origin, vkeys } of follower.view.state.logs) {
      const name = origin.slice(home.executionOrigin('').length);
      if (!isLocalName(name) || origin !== home.executionOrigin(name)) continue;
      const directory = home.executionLogFolder(name);
      try {
        // The checkpoint is read before the database: that is never behind it.
        const head = readSignedHead(directory, vkeys, policy);
        const reader = openSqliteLogReader(directory);
        if (reader.origin === origin) logs.push({ name, reader, head });
        else {
          reader.close();
          unreadable.push(name);
        }
      } catch {
        unreadable.push(name);
      }
    }
    return new LineageReader(history, logs, unreadable);
  }

  /** An execution by its id; undefined where no log has it, or one has it twice (a forgery). */
  find(executionId: string): LineageEntry | undefined {
    for (const log of this.#logs) {
      const [index, ...others] = log.reader.lookup(`execution:${executionId}`);
      if (index === undefined || others.length > 0) continue;
      const entry = this.#entryAt(log, index);
      if (entry?.executionId === executionId) return entry;
    }
    return undefined;
  }

  /** The execution that was decided last. */
  last(): LineageEntry | undefined {
    return this.newest(1)[0];
  }

  /** The newest decisions of all logs, newest first. */
  newest(count: number): LineageEntry[] {
    const newest: { readonly log: OpenLog; readonly index: number; readonly atMs: number }[] = [];
    for (const log of this.#logs) {
      let taken = 0;
      for (let end = log.reader.head().size; end > 0 && taken < count; end -= BATCH) {
        const start = Math.max(0, end - BATCH);
        const entries = log.reader.read(start, end - start);
        for (const [offset, bytes] of [...entries.entries()].reverse()) {
          const receipt = taken < count ? parseDecisionReceipt(bytes) : undefined;
          if (receipt === undefined || isDenial(receipt)) continue;
          newest.push({ log, index: start + offset, atMs: receipt.atMs });
          taken += 1;
        }
      }
    }
    newest.sort((left, right) => right.atMs - left.atMs);
    return newest.slice(0, count).flatMap(({ log, index }) => this.#entryAt(log, index) ?? []);
  }

  /**
   * The lineage an execution belongs to: everything under its root, in whichever log.
   *
   * @param max entries to read; ancestors and descendants come first.
   */
  around(focus: LineageEntry, max: number): LineageAround {
    const links: Place[] = [];
    const seen = new Set<string>();
    let repeated = 0;
    let beyond = 0;
    for (const place of this.#placesUnder(focus.rootExecutionId)) {
      if (seen.has(place.executionId)) repeated += 1;
      else if (links.length === MAX_LINKS) beyond += 1;
      else {
        seen.add(place.executionId);
        links.push(place);
      }
    }
    const { chosen, omitted, ...rest } = selectAround(links, focus.executionId, max);
    const entries = chosen.flatMap(({ log, index }) => this.#entryAt(log, index) ?? []);
    return { ...rest, entries, repeated, omitted: omitted + beyond };
  }

  /** Every execution, log by log in the order of each. */
  *all(): Generator<LineageEntry> {
    for (const log of this.#logs) {
      for (const { index, receipt } of this.#decisions(log)) yield this.#describe(log, index, receipt);
    }
  }

  /**
   * Every decision, log by log, without what vouches for it.
   *
   * @param texts of which an entry must have one as a whole JSON string; without, all are read.
   */
  *decisions(texts?: readonly string[]): Generator<LoggedDecision> {
    const needles = texts?.map((text) => JSON.stringify(text));
    for (const log of this.#logs) {
      for (const { receipt } of this.#decisions(log, needles)) {
        yield { log: log.name, receipt, end: () => readEnd(log, receipt.id) };
      }
    }
  }

  close(): void {
    for (const { reader } of this.#logs) reader.close();
  }

  *#placesUnder(root: string): Generator<Place> {
    // A receipt is JCS, so its id and its root stand in it as they are: most entries need not be parsed.
    const needles = [JSON.stringify(root)];
    for (const log of this.#logs) {
      for (const { index, receipt } of this.#decisions(log, needles)) {
        const { id, lineage } = receipt;
        if ((lineage?.root ?? id) !== root) continue;
        const parent = lineage?.parent === undefined ? {} : { parentId: lineage.parent };
        yield { log, index, executionId: id, ...parent };
      }
    }
  }

  *#decisions(
    { reader }: OpenLog,
    needles: readonly string[] = [JSON.stringify(DECISION_RECEIPT)],
  ): Generator<{ readonly index: number; readonly receipt: DecisionReceipt }> {
    const { size } = reader.head();
    for (let start = 0; start < size; start += BATCH) {
      for (const [offset, bytes] of reader.read(start, Math.min(BATCH, size - start)).entries()) {
        const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        if (!needles.some((needle) => text.includes(needle))) continue;
        const receipt = parseDecisionReceipt(bytes);
        if (!isDenial(receipt)) yield { index: start + offset, receipt };
      }
    }
  }

  #entryAt(log: OpenLog, index: number): LineageEntry | undefined {
    const [bytes] = log.reader.read(index, 1);
    const receipt = bytes === undefined ? undefined : parseDecisionReceipt(bytes);
    return receipt === undefined || isDenial(receipt)
      ? undefined
      : this.#describe(log, index, receipt, bytes);
  }

  #describe(
    log: OpenLog,
    index: number,
    decision: DecisionReceipt,
    bytes: Uint8Array = log.reader.read(index, 1)[0] ?? new Uint8Array(),
  ): LineageEntry {
    const hash = leafHash(bytes);
    const leaf = encodeBase64url(hash);
    const end =
      decision.verdict === 'permit' ? readOutcome(log, decision.id, { index, leafHash: leaf }) : undefined;
    return lineageEntryOf(
      {
        log: log.name,
        index,
        leafHash: leaf,
        decision,
        ...(end === undefined ? {} : { end: end.outcome }),
        verification: {
          decision: levelOf(log, index, hash),
          ...(end === undefined ? {} : { outcome: end.level }),
          signedSize: log.head?.size ?? 0,
        },
      },
      this.#history,
    );
  }
}

function readEnd({ reader }: OpenLog, id: string): OutcomeReceipt | undefined {
  const [index] = reader.lookup(`outcome:${id}`);
  const [bytes] = index === undefined ? [] : reader.read(index, 1);
  const outcome = bytes === undefined ? undefined : parseOutcomeReceipt(bytes);
  return outcome === undefined || isDenial(outcome) ? undefined : outcome;
}

function readOutcome(
  log: OpenLog,
  id: string,
  decision: OutcomeReceipt['decision'],
): { readonly outcome: OutcomeReceipt; readonly level: VerificationLevel } | undefined {
  const [index] = log.reader.lookup(`outcome:${id}`);
  const [bytes] = index === undefined ? [] : log.reader.read(index, 1);
  const outcome = bytes === undefined ? undefined : parseOutcomeReceipt(bytes);
  if (index === undefined || bytes === undefined || outcome === undefined || isDenial(outcome))
    return undefined;
  const isOfDecision =
    outcome.id === id &&
    outcome.decision.index === decision.index &&
    outcome.decision.leafHash === decision.leafHash;
  return { outcome, level: isOfDecision ? levelOf(log, index, leafHash(bytes)) : 'mismatch' };
}

function levelOf({ reader, head }: OpenLog, index: number, hash: Uint8Array): VerificationLevel {
  if (head === undefined || index >= head.size) return 'durable';
  const proof = reader.inclusionProof(index, head.size);
  if (!verifyInclusion({ leafHash: hash, index, proof, ...head })) return 'mismatch';
  return head.witnessed ? 'witnessed' : 'included';
}
