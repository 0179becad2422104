import { readdirSync } from 'node:fs';
import { isDenial } from '../denial/index.ts';
import type { ParentFact } from '../lineage/index.ts';
import { parseDecisionReceipt, parseOutcomeReceipt } from '../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import type { LogReader } from '../tlog/index.ts';
import { type Home, isLocalName } from './home.ts';

const MAX_LOGS = 256;

/** What finding an execution needs of a log. */
type Entries = Pick<LogReader, 'lookup' | 'read'>;

/** Finds executions by id in this node's log and in those beside it in the trust domain. */
export class ExecutionFinder {
  readonly #home: Home;
  readonly #own: LogReader;
  readonly #ownName: string;
  readonly #siblings = new Map<string, SqliteLogReader>();

  constructor(home: Home, own: LogReader, ownName: string) {
    this.#home = home;
    this.#own = own;
    this.#ownName = ownName;
  }

  /** The fact of a permitted or denied execution; undefined where no log knows it. */
  find(executionId: string): ParentFact | undefined {
    if (executionId.length > 64) return undefined;
    const own = parentFactOf(this.#own, executionId);
    if (own !== undefined) return own;
    for (const reader of this.#openSiblings()) {
      const fact = parentFactOf(reader, executionId);
      if (fact !== undefined) return fact;
    }
    return undefined;
  }

  close(): void {
    for (const reader of this.#siblings.values()) reader.close();
    this.#siblings.clear();
  }

  *#openSiblings(): Generator<LogReader> {
    for (const name of readdirSync(this.#home.executionFolder).slice(0, MAX_LOGS)) {
      if (name === this.#ownName || !isLocalName(name)) continue;
      let reader = this.#siblings.get(name);
      if (reader === undefined) {
        try {
          reader = openSqliteLogReader(this.#home.executionLogFolder(name));
        } catch {
          continue;
        }
        this.#siblings.set(name, reader);
      }
      yield reader;
    }
  }
}

/** What one log says about an execution. Two decisions under one id would be a forgery: then it counts as unknown. */
export function parentFactOf(log: Entries, executionId: string): ParentFact | undefined {
  const [index, ...others] = log.lookup(`execution:${executionId}`);
  if (index === undefined || others.length > 0) return undefined;
  const [entry] = log.read(index, 1);
  const receipt = entry === undefined ? undefined : parseDecisionReceipt(entry);
  if (receipt === undefined || isDenial(receipt) || receipt.id !== executionId) return undefined;
  const tokenHashes = receipt.artifact?.tokenHashes ?? [];
  return {
    executionId,
    verdict: receipt.verdict,
    tokenHashes,
    leafTokenHash: tokenHashes.at(-1) ?? '',
    depth: receipt.lineage?.depth ?? 0,
    rootExecutionId: receipt.lineage?.root ?? executionId,
    terminated: isTerminated(log, executionId),
    tool: receipt.tool,
  };
}

function isTerminated(log: Entries, executionId: string): boolean {
  return log.lookup(`outcome:${executionId}`).some((index) => {
    const [entry] = log.read(index, 1);
    const outcome = entry === undefined ? undefined : parseOutcomeReceipt(entry);
    return outcome === undefined || isDenial(outcome) || outcome.status === 'terminated';
  });
}
