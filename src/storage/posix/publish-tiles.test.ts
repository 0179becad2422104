import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  formatTilePath,
  LogUnavailable,
  leafHash,
  proveConsistency,
  proveInclusion,
  rootAt,
  type TileStore,
  tilesBetween,
  verifyInclusion,
  withTiles,
} from '../../tlog/index.ts';
import { openPosixTileStore, publishTiles } from './index.ts';
import { auditPublished, entryAt, FakeLog, FakeStore, partialBundle } from './published-log.test-support.ts';

let directory: string;
let store: TileStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-publish-'));
  store = openPosixTileStore(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const log = new FakeLog(66_000);
const publish = (size: number, to: TileStore = store) =>
  publishTiles({ source: log, store: to, checkpoint: log.checkpointAt(size) });

describe('publishing', () => {
  it('makes a tree that a client can verify entry by entry, at every step it grows', async () => {
    for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 1000]) {
      await publish(size);
      expect(await auditPublished(store)).toBe(size);
    }
  });

  it('reaches the third level of tiles', async () => {
    const store = new FakeStore();
    await publish(65_500, store);
    await publish(66_000, store);
    expect(await store.read('tile/2/000.p/1')).toHaveLength(32);
    const index = 12_345;
    const proof = await withTiles(store, 66_000, (reader) => proveInclusion(reader, index, 66_000));
    const rootHash = rootAt(log, 66_000);
    expect(
      verifyInclusion({ leafHash: leafHash(entryAt(index)), index, size: 66_000, rootHash, proof }),
    ).toBe(true);
    const consistency = await withTiles(store, 66_000, (reader) => proveConsistency(reader, 65_500, 66_000));
    expect(consistency).toEqual(proveConsistency(log, 65_500, 66_000));
  });

  it('again with the same checkpoint changes nothing', async () => {
    await publish(300);
    await publish(300);
    expect(await auditPublished(store)).toBe(300);
  });

  it('keeps partial tiles while a published checkpoint needs them, then drops them', async () => {
    await publish(5);
    await publish(7);
    expect([5, 7].map((size) => existsSync(join(directory, partialBundle(size))))).toEqual([true, true]);
    await publish(256);
    expect(existsSync(join(directory, 'tile/entries/000.p'))).toBe(false);
    // A client that still holds the checkpoint of 7 takes the front of the full tile.
    const root = await withTiles(store, 7, (reader) => rootAt(reader, 7));
    expect(root).toEqual(rootAt(log, 7));
  });

  it('rebuilds tiles that were lost', async () => {
    await publish(600);
    rmSync(join(directory, 'tile'), { recursive: true });
    const rebuilt = openPosixTileStore(directory);
    await expect(auditPublished(rebuilt)).rejects.toThrow('missing');
    await publishTiles({ source: log, store: rebuilt, checkpoint: log.checkpointAt(600), rebuild: true });
    expect(await auditPublished(rebuilt)).toBe(600);
  });
});

describe('publishing refuses, and leaves what was published, when', () => {
  const stands = async (attempt: Promise<void>) => {
    await expect(attempt).rejects.toThrow(LogUnavailable);
    expect(await auditPublished(store)).toBe(300);
  };
  beforeEach(() => publish(300));

  it('the checkpoint is older', () => stands(publish(299)));

  it('the log was rewritten', async () => {
    const forked = new FakeLog(400, (index) => (index === 3 ? Buffer.from('forged') : entryAt(index)));
    await stands(publishTiles({ source: forked, store, checkpoint: forked.checkpointAt(400) }));
  });

  it('the log lost entries', async () => {
    const short = new FakeLog(200);
    await expect(publishTiles({ source: short, store, checkpoint: log.checkpointAt(400) })).rejects.toThrow();
    expect(await auditPublished(store)).toBe(300);
  });

  it('the checkpoint has a root the log has not', async () => {
    const forked = new FakeLog(400, (index) => (index === 350 ? Buffer.from('forged') : entryAt(index)));
    await stands(publishTiles({ source: log, store, checkpoint: forked.checkpointAt(400) }));
  });

  it('the checkpoint is of another log', () =>
    stands(publishTiles({ source: log, store, checkpoint: log.checkpointAt(400, 'example.com/other') })));

  it('the checkpoint is none', () => stands(publishTiles({ source: log, store, checkpoint: 'hello' })));

  it('a tile on disk is not the log’s', async () => {
    await store.write('tile/0/001.p/144', new Uint8Array(144 * 32));
    await stands(publish(400));
  });

  it('someone else moved the checkpoint meanwhile', async () => {
    const other = openPosixTileStore(directory);
    const racing: TileStore = {
      ...bound(store),
      replaceCheckpoint: async (expected, next) => {
        await publish(350, other);
        return store.replaceCheckpoint(expected, next);
      },
    };
    await expect(publish(400, racing)).rejects.toThrow('moved by someone else');
    expect(await auditPublished(store)).toBe(350);
  });
});

function bound(inner: TileStore): TileStore {
  return {
    read: (path) => inner.read(path),
    write: (path, bytes) => inner.write(path, bytes),
    removePartials: (path) => inner.removePartials(path),
    readCheckpoint: () => inner.readCheckpoint(),
    replaceCheckpoint: (expected, next) => inner.replaceCheckpoint(expected, next),
  };
}

describe('a publication that fails at any step', () => {
  /** Fails the `failing`-th operation that changes the store, before or after it took effect. */
  function faulty(inner: TileStore, failing: number, fault: 'failed' | 'failed but persisted'): TileStore {
    let count = 0;
    const strike = async <T>(operation: () => Promise<T>): Promise<T> => {
      count += 1;
      if (count !== failing) return operation();
      if (fault === 'failed but persisted') await operation();
      throw new LogUnavailable('injected');
    };
    const plain = bound(inner);
    return {
      ...plain,
      write: (path, bytes) => strike(() => plain.write(path, bytes)),
      removePartials: (path) => strike(() => plain.removePartials(path)),
      replaceCheckpoint: (expected, next) => strike(() => plain.replaceCheckpoint(expected, next)),
    };
  }

  // From 250 to 520: 3 bundles, 3 tiles, 1 upper tile, the checkpoint, then 4 removals.
  const steps = Array.from({ length: 11 }, (_, step) => step + 1);
  const matrix = steps.flatMap((step) => [
    [step, 'failed'] as const,
    [step, 'failed but persisted'] as const,
  ]);

  it.each(matrix)(
    '(%i, %s) leaves one tree or the other whole, and is completed by the next',
    async (step, fault) => {
      const store = new FakeStore();
      await publish(250, store);
      await expect(publish(520, faulty(store, step, fault))).rejects.toThrow('injected');
      const isMoved = step > 8 || (step === 8 && fault === 'failed but persisted');
      expect(await auditPublished(store)).toBe(isMoved ? 520 : 250);
      await publish(520, store);
      expect(await auditPublished(store)).toBe(520);
      await publish(530, store);
      expect(await auditPublished(store)).toBe(530);
    },
  );
});

it('a client notices any byte that was changed in what is published', async () => {
  const paths = [...tilesBetween(0, 300)].map(formatTilePath);
  for (const path of paths) {
    const store = new FakeStore();
    await publish(300, store);
    const bytes = Uint8Array.from((await store.read(path)) ?? []);
    for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await store.write(path, changed);
      await expect(auditPublished(store)).rejects.toThrow();
    }
    await store.write(path, bytes.subarray(1));
    await expect(auditPublished(store)).rejects.toThrow();
    await store.write(path, bytes);
    expect(await auditPublished(store)).toBe(300);
  }
});

it('killed at any moment, what is published is whole', { timeout: 60_000 }, async () => {
  const script = join(directory, 'publisher.ts');
  const modules = new URL('.', import.meta.url).href;
  writeFileSync(
    script,
    `import { openPosixTileStore, publishTiles } from '${modules}index.ts';
     import { auditPublished, FakeLog } from '${modules}published-log.test-support.ts';
     const log = new FakeLog(4000);
     const store = openPosixTileStore(process.argv[2]);
     for (let size = await auditPublished(store) + 37; size <= 4000; size += 37) {
       await publishTiles({ source: log, store, checkpoint: log.checkpointAt(size) });
       process.stdout.write(size + '\\n');
     }`,
  );
  const target = join(directory, 'log');
  let published = 0;
  for (const lines of [1, 2, 3, 5]) {
    const child = spawn(process.execPath, ['--no-warnings', script, target], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      published = Number(line);
      seen += 1;
      if (seen === lines) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const size = await auditPublished(openPosixTileStore(target));
    expect(size).toBeGreaterThanOrEqual(published);
    await publish(size + 1, openPosixTileStore(target));
    expect(await auditPublished(openPosixTileStore(target))).toBe(size + 1);
  }
});
