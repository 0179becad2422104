import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isDenial } from '../../src/denial/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import {
  type AppendRequest,
  type AppendResult,
  EMPTY_ROOT,
  type Log,
  LogUnavailable,
  leafHash,
  MerkleTree,
  noteVerifier,
  openCheckpoint,
  verifyConsistency,
  verifyInclusion,
} from '../../src/tlog/index.ts';

export interface LogUnderTest {
  readonly log: Log;
  /** Closes the log and opens it again on the same storage. Absent where a driver forgets. */
  readonly reopen?: () => Promise<Log>;
  readonly dispose: () => Promise<void>;
}

export type LogFactory = (options: { origin: string; signer: SigningKey }) => Promise<LogUnderTest>;

const ORIGIN = 'suite.example/log';
const SOON = 4_000_000_000;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');
const text = (entry: Uint8Array): string => new TextDecoder().decode(entry);
const entryOf = (name: string, rest: Partial<AppendRequest> = {}): AppendRequest => ({
  entry: bytes(name),
  ...rest,
});
const consume = (id: string, expiresAtSeconds = SOON) => ({ consume: { id, expiresAtSeconds } });

/** What every driver of `Log` must do. A driver's own test hands its factory to this. */
export function describeLog(name: string, factory: LogFactory): void {
  describe(`${name} as a log`, () => {
    const signer = SigningKey.fromSeed(new Uint8Array(32).fill(7));
    const verifier = noteVerifier(ORIGIN, signer.publicKey);
    let subject: LogUnderTest;
    let log: Log;

    beforeEach(async () => {
      subject = await factory({ origin: ORIGIN, signer });
      log = subject.log;
    });
    afterEach(() => subject.dispose());

    const reopen = async (): Promise<void> => {
      if (subject.reopen !== undefined) log = await subject.reopen();
    };
    const head = () => ({ size: log.head().size, root: hex(log.head().rootHash) });
    const entries = (): string[] => log.read(0, 10_000).map(text);

    it('starts empty, with the root of the empty tree', async () => {
      expect(head()).toEqual({ size: 0, root: hex(EMPTY_ROOT) });
      expect(log.read(0, 10)).toEqual([]);
      expect(log.lookup('anything')).toEqual([]);
      expect(openCheckpoint(await log.checkpoint(), verifier)).toMatchObject({ size: 0 });
    });

    it('numbers entries in the order they were appended, also side by side', async () => {
      const names = Array.from({ length: 300 }, (_, at) => `entry ${at}`);
      const results = await Promise.all(names.map((entry) => log.append(entryOf(entry))));
      expect(results).toEqual(names.map((_, index) => ({ kind: 'appended', index })));
      expect(entries()).toEqual(names);
      await reopen();
      expect(entries()).toEqual(names);
    });

    it('holds empty and largest entries, and refuses larger ones without harm', async () => {
      const largest = new Uint8Array(65_535).fill(1);
      await log.append({ entry: new Uint8Array() });
      await log.append({ entry: largest });
      await expect(log.append({ entry: new Uint8Array(65_536) })).rejects.toThrow(TypeError);
      await expect(
        log.append(entryOf('x', { counters: [{ key: 'c', limit: 1, amount: -1 }] })),
      ).rejects.toThrow(TypeError);
      await expect(log.append(entryOf('x', consume('id', Number.NaN)))).rejects.toThrow(TypeError);
      await expect(log.append(entryOf('x', consume('')))).rejects.toThrow(TypeError);
      expect(log.read(0, 10)).toEqual([new Uint8Array(), largest]);
    });

    it('reads ranges and stops at its end', async () => {
      await Promise.all(['a', 'b', 'c'].map((entry) => log.append(entryOf(entry))));
      expect(log.read(1, 1).map(text)).toEqual(['b']);
      expect(log.read(2, 5).map(text)).toEqual(['c']);
      expect(log.read(3, 5)).toEqual([]);
    });

    it('finds every entry under each of its keys', async () => {
      await log.append(entryOf('a', { keys: ['shared', 'only-a'] }));
      await log.append(entryOf('b', { keys: ['shared', 'shared'] }));
      await log.append(entryOf('c'));
      await reopen();
      expect(log.lookup('shared')).toEqual([0, 1]);
      expect(log.lookup('only-a')).toEqual([0]);
      expect(log.lookup('nobody')).toEqual([]);
      expect(log.lookup("'; DROP TABLE entry; --")).toEqual([]);
    });

    it('is the Merkle tree of its entries, with proofs that verify, across tile boundaries', async () => {
      const model = new MerkleTree();
      const sizes = [1, 2, 3, 255, 256, 257, 511, 513, 700];
      for (const size of sizes) {
        const batch = Array.from({ length: size - model.size }, (_, at) => bytes(`${model.size + at}`));
        await Promise.all(batch.map((entry) => log.append({ entry })));
        for (const entry of batch) model.append(leafHash(entry));
        expect(head()).toEqual({ size, root: hex(model.root()) });
      }
      await reopen();
      const { size, rootHash } = log.head();
      expect(hex(rootHash)).toBe(hex(model.root()));
      for (const index of [0, 1, 254, 255, 256, 511, 512, 699]) {
        const proof = log.inclusionProof(index, size);
        expect(verifyInclusion({ leafHash: leafHash(bytes(`${index}`)), index, size, rootHash, proof })).toBe(
          true,
        );
      }
      for (const size1 of sizes) {
        const proof = log.consistencyProof(size1, size);
        expect(
          verifyConsistency({ size1, root1: model.root(size1), size2: size, root2: rootHash, proof }),
        ).toBe(true);
      }
    });

    it('signs checkpoints that cover everything appended so far', async () => {
      for (let size = 1; size <= 3; size += 1) {
        const appended = log.append(entryOf(`${size}`));
        const checkpoint = openCheckpoint(await log.checkpoint(), verifier);
        await appended;
        if (isDenial(checkpoint)) throw new Error(checkpoint.detail);
        expect({ size: checkpoint.size, root: hex(checkpoint.rootHash) }).toEqual(head());
        expect(head().size).toBe(size);
      }
      const before = await log.checkpoint();
      await reopen();
      expect(await log.checkpoint()).toBe(before);
    });

    it('takes an id once, however many race for it, and stores nothing of a replay', async () => {
      const racers = Array.from({ length: 50 }, (_, at) =>
        log.append(
          entryOf(`racer ${at}`, {
            ...consume('one'),
            keys: ['racer'],
            counters: [{ key: 'c', limit: 1, amount: 1 }],
          }),
        ),
      );
      const results = await Promise.all(racers);
      expect(results.filter(({ kind }) => kind === 'appended')).toHaveLength(1);
      expect(results.filter(({ kind }) => kind === 'replayed')).toHaveLength(49);
      expect(log.head().size).toBe(1);
      expect(log.lookup('racer')).toEqual([0]);
      await reopen();
      expect(await log.append(entryOf('later', consume('one')))).toEqual({ kind: 'replayed' });
      expect(await log.append(entryOf('later', consume('one', SOON + 1)))).toEqual({ kind: 'replayed' });
      expect(await log.append(entryOf('other', consume('two')))).toEqual({ kind: 'appended', index: 1 });
    });

    it('never lets a counter pass its limit, however many race for it, and stores nothing of what would', async () => {
      const use = (at: number) =>
        log.append(
          entryOf(`use ${at}`, { ...consume(`id ${at}`), counters: [{ key: 'uses', limit: 3, amount: 1 }] }),
        );
      const results = await Promise.all(Array.from({ length: 20 }, (_, at) => use(at)));
      expect(results.filter(({ kind }) => kind === 'appended')).toHaveLength(3);
      expect(results.filter(({ kind }) => kind === 'exhausted')).toHaveLength(17);
      await reopen();
      expect(await use(100)).toEqual({ kind: 'exhausted', key: 'uses' });
      expect(log.head().size).toBe(3);
      // The id of a request that was refused is still free.
      expect(await log.append(entryOf('again', consume('id 100')))).toEqual({ kind: 'appended', index: 3 });
    });

    it('raises all counters of a request or none', async () => {
      const spend = (a: number, b: number) =>
        log.append(
          entryOf('spend', {
            counters: [
              { key: 'a', limit: 10, amount: a },
              { key: 'b', limit: 1, amount: b },
            ],
          }),
        );
      expect(await spend(5, 2)).toEqual({ kind: 'exhausted', key: 'b' });
      expect(await spend(10, 1)).toEqual({ kind: 'appended', index: 0 });
      expect(await spend(1, 0)).toEqual({ kind: 'exhausted', key: 'a' });
      expect(await spend(0, 0)).toEqual({ kind: 'appended', index: 1 });
    });

    it('counts a counter named twice twice', async () => {
      const counter = { key: 'twice', limit: 3, amount: 2 };
      expect(await log.append(entryOf('x', { counters: [counter, counter] }))).toEqual({
        kind: 'exhausted',
        key: 'twice',
      });
      expect(await log.append(entryOf('x', { counters: [counter] }))).toEqual({ kind: 'appended', index: 0 });
    });

    it.each([
      { amounts: [0.1, 0.2], limit: 0.3, left: 0 },
      { amounts: Array.from({ length: 10 }, () => 0.1), limit: 1, left: 0 },
      { amounts: [1e21, 5e-324, 0.5], limit: 1e21 + 1e6, left: 0.5 },
      { amounts: [2 ** 53, 2 ** 53], limit: 2 ** 54, left: 0 },
    ])('adds budgets exactly: $amounts within $limit', async ({ amounts, limit, left }) => {
      for (const amount of amounts) {
        const result = await log.append(entryOf('x', { counters: [{ key: 'budget', limit, amount }] }));
        expect(result.kind).toBe('appended');
      }
      await reopen();
      const result = await log.append(entryOf('x', { counters: [{ key: 'budget', limit, amount: 1e-300 }] }));
      expect(result.kind).toBe(left === 0 ? 'exhausted' : 'appended');
    });

    it('does what a tiny model does', async () => {
      const request = fc.record({
        entry: fc.constantFrom('a', 'b', 'c'),
        keys: fc.subarray(['k1', 'k2']),
        id: fc.option(fc.constantFrom('i1', 'i2', 'i3', 'i4', 'i5'), { nil: undefined }),
        counters: fc.array(
          fc.record({
            key: fc.constantFrom('c1', 'c2'),
            limit: fc.constantFrom(1, 2, 8),
            amount: fc.constantFrom(0, 1, 3),
          }),
          { maxLength: 3 },
        ),
      });
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(request, { maxLength: 6 }), { maxLength: 4 }), async (batches) => {
          // Names are made fresh for each run, since the log goes on from run to run.
          run += 1;
          const first = log.head().size;
          const model = new ModelLog(first);
          for (const batch of batches) {
            const requests = batch.map(({ entry, keys, id, counters }) => ({
              entry: bytes(entry),
              keys: keys.map((key) => `${run} ${key}`),
              ...(id !== undefined && consume(`${run} ${id}`)),
              counters: counters.map((counter) => ({ ...counter, key: `${run} ${counter.key}` })),
            }));
            const results = await Promise.all(requests.map((each) => log.append(each)));
            expect(results).toEqual(requests.map((each) => model.append(each)));
          }
          expect(log.read(first, 1_000)).toEqual(model.entries);
          for (const key of ['k1', 'k2'])
            expect(log.lookup(`${run} ${key}`)).toEqual(model.lookup(`${run} ${key}`));
        }),
        { numRuns: 100 },
      );
    });

    it('refuses everything once closed', async () => {
      await log.append(entryOf('x'));
      await log.close();
      await log.close();
      await expect(log.append(entryOf('y'))).rejects.toThrow(LogUnavailable);
      await expect(log.checkpoint()).rejects.toThrow(LogUnavailable);
    });
  });
}

/** The semantics of `append`, said once and simply. */
class ModelLog {
  readonly entries: Uint8Array[] = [];
  readonly #first: number;
  readonly #keys: { key: string; index: number }[] = [];
  readonly #consumed = new Set<string>();
  readonly #totals = new Map<string, number>();

  constructor(first: number) {
    this.#first = first;
  }

  append({ entry, keys = [], consume, counters = [] }: AppendRequest): AppendResult {
    if (consume !== undefined && this.#consumed.has(consume.id)) return { kind: 'replayed' };
    const totals = new Map(this.#totals);
    for (const { key, limit, amount } of counters) {
      const total = (totals.get(key) ?? 0) + amount;
      if (total > limit) return { kind: 'exhausted', key };
      totals.set(key, total);
    }
    for (const [key, total] of totals) this.#totals.set(key, total);
    if (consume !== undefined) this.#consumed.add(consume.id);
    const index = this.#first + this.entries.push(entry) - 1;
    for (const key of new Set(keys)) this.#keys.push({ key, index });
    return { kind: 'appended', index };
  }

  lookup(wanted: string): number[] {
    return this.#keys.filter(({ key }) => key === wanted).map(({ index }) => index);
  }
}
