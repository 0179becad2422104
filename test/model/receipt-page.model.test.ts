import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../../src/denial/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import {
  type DecisionReceipt,
  queryReceipts,
  type ReceiptFilters,
  type ReceiptOrder,
  type ReceiptRequest,
  serializeReceipt,
} from '../../src/receipt/index.ts';
import { openSqliteLogReader, SqliteReceiptIndex } from '../../src/storage/index.ts';
import type { BatchWriter } from '../../src/storage/sqlite/batch-writer.ts';
import { deriveCommitKey } from '../../src/storage/sqlite/commit-seal.ts';
import { openInlineWriter } from '../../src/storage/sqlite/inline-writer.ts';
import { type ReceiptDraft, receiptOf } from '../../src/storage/sqlite/receipt-log.test-support.ts';

/** In memory where there is such a place: what is asked here is not how long a disk takes. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const signer = SigningKey.fromSeed(new Uint8Array(32).fill(9));
const LOGS = ['b', 'a', 'a~2'] as const;

const few = (prefix: string) => fc.integer({ min: 0, max: 2 }).map((at) => `${prefix}${at}`);
const absentOr = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Few values and fewer times, so that everything collides; clocks go backwards. */
const draft = fc.record({
  log: fc.constantFrom(...LOGS),
  atMs: fc.integer({ min: 0, max: 5 }),
  tool: few('tool'),
  agent: absentOr(few('agent')),
  code: absentOr(fc.constantFrom('policy.forbidden', 'scope.tool_not_granted', 'replay.detected')),
  initiator: absentOr(few('person')),
  owner: absentOr(few('person')),
  tokens: absentOr(fc.uniqueArray(few('token'), { minLength: 1, maxLength: 3 })),
  root: absentOr(few('execution')),
  parent: absentOr(few('execution')),
});

const oneFilter: fc.Arbitrary<ReceiptFilters> = fc.oneof(
  fc.record({ agent: fc.oneof(few('agent'), few('holder of token')) }),
  fc.record({ subject: few('person') }),
  fc.record({ tool: few('tool') }),
  fc.record({ code: fc.constantFrom('policy.forbidden', 'scope.tool_not_granted') }),
  fc.record({ artifact: few('token') }),
  fc.record({ root: few('execution') }),
  fc.record({ parent: few('execution') }),
  fc.record({ verdict: fc.constantFrom('permit' as const, 'deny' as const) }),
  fc.record({ sinceMs: fc.integer({ min: 0, max: 6 }) }),
  fc.record({ untilMs: fc.integer({ min: 0, max: 6 }) }),
);

/** Mostly few of them: with more, nothing is left to page through. */
const filtersOf: fc.Arbitrary<ReceiptFilters> = fc
  .array(oneFilter, { maxLength: 3 })
  .map((filters) => Object.assign({}, ...filters));

type Drafted = typeof draft extends fc.Arbitrary<infer T> ? T : never;

/** What the model remembers of an append. */
interface Entry {
  readonly log: string;
  readonly index: number;
  readonly receipt: DecisionReceipt;
}

/** The filters by the words of the specification, without any of the code under test. */
function isMeant({ receipt }: Entry, filters: ReceiptFilters): boolean {
  const { artifact, lineage, agent, atMs } = receipt;
  const people = [artifact?.initiator?.id, artifact?.attribution?.owner];
  const known: [unknown, readonly unknown[]][] = [
    [filters.agent, [agent ?? artifact?.holders.at(-1)]],
    [filters.subject, people],
    [filters.tool, [receipt.tool]],
    [filters.code, [receipt.code]],
    [filters.artifact, [artifact?.digest, ...(artifact?.tokenIds ?? [])]],
    [filters.root, [lineage === undefined ? receipt.id : lineage.root]],
    [filters.parent, [lineage?.parent]],
    [filters.verdict, [receipt.verdict]],
  ];
  return (
    known.every(([wanted, values]) => wanted === undefined || values.includes(wanted)) &&
    !(filters.sinceMs !== undefined && atMs < filters.sinceMs) &&
    !(filters.untilMs !== undefined && atMs >= filters.untilMs)
  );
}

function inOrder(entries: readonly Entry[], order: ReceiptOrder): Entry[] {
  const sorted = entries.toSorted(
    (a, b) =>
      a.receipt.atMs - b.receipt.atMs || (a.log < b.log ? -1 : a.log > b.log ? 1 : 0) || a.index - b.index,
  );
  return order === 'oldest-first' ? sorted : sorted.reverse();
}

class Domain {
  readonly folder = mkdtempSync(join(PLACE, 'writ-pages-'));
  readonly entries: Entry[] = [];
  readonly #writers = new Map<string, BatchWriter>();
  readonly #sizes = new Map<string, number>();

  constructor() {
    for (const log of LOGS) {
      const origin = `model.example/execution/${log}`;
      const directory = join(this.folder, log);
      this.#writers.set(
        log,
        openInlineWriter({ directory, origin, commitKey: deriveCommitKey(signer, origin) }),
      );
    }
  }

  async append(drafts: readonly Drafted[]): Promise<void> {
    for (const log of LOGS) {
      const receipts = drafts.filter((one) => one.log === log).map((one) => this.#remember(one));
      if (receipts.length === 0) continue;
      await this.#writers.get(log)?.commit(
        receipts.map((receipt) => ({ entry: serializeReceipt(receipt) })),
        0,
      );
    }
  }

  #remember({ log, ...rest }: Drafted): DecisionReceipt {
    const index = this.#sizes.get(log) ?? 0;
    this.#sizes.set(log, index + 1);
    const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const receipt = receiptOf({ id: `${log}-${index}`, ...known } as ReceiptDraft);
    this.entries.push({ log, index, receipt });
    return receipt;
  }

  async close(): Promise<void> {
    for (const writer of this.#writers.values()) await writer.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('pages of decisions', () => {
  it('together hold what the logs held at the first page, once and in order, whatever is appended between pages', async () => {
    let pages = 0;
    let shown = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(draft, { minLength: 10, maxLength: 50 }),
        fc.array(fc.array(draft, { maxLength: 4 }), { maxLength: 12 }),
        fc.array(fc.tuple(filtersOf, fc.constantFrom('newest-first' as const, 'oldest-first' as const)), {
          minLength: 4,
          maxLength: 8,
        }),
        fc.integer({ min: 1, max: 7 }),
        async (first, later, questions, limit) => {
          const domain = new Domain();
          const readers = LOGS.map((log) => [log, openSqliteLogReader(join(domain.folder, log))] as const);
          const indexes = new Map(
            readers.map(([log, reader]) => [log, new SqliteReceiptIndex(join(domain.folder, log), reader)]),
          );
          try {
            await domain.append(first);
            const appends = [...later];
            for (const [filters, order] of questions) {
              const expected = inOrder(
                domain.entries.filter((entry) => isMeant(entry, filters)),
                order,
              );
              const found: Entry[] = [];
              let request: ReceiptRequest | undefined = { filters, order, limit };
              while (request !== undefined) {
                const page = await queryReceipts(indexes, request);
                if (isDenial(page)) throw new Error(page.detail);
                expect(page.found.length).toBeLessThanOrEqual(limit);
                // Otherwise it may never end.
                expect(found.length).toBeLessThanOrEqual(expected.length);
                found.push(...page.found);
                pages += 1;
                shown += page.found.length;
                request = page.next === undefined ? undefined : { cursor: page.next, limit };
                await domain.append(appends.shift() ?? []);
              }
              expect(found).toEqual(expected);
            }
          } finally {
            for (const index of indexes.values()) index.close();
            for (const [, reader] of readers) reader.close();
            await domain.close();
          }
        },
      ),
      { numRuns: 15, seed: 2026 },
    );
    // It was no test of empty pages.
    expect(pages).toBeGreaterThan(100);
    expect(shown).toBeGreaterThan(250);
  });
});
