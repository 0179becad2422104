import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogUnavailable, type TileStore } from '../../tlog/index.ts';
import { withCheckpointLock } from './checkpoint-lock.ts';
import { openPosixTileStore } from './index.ts';
import { FakeLog } from './published-log.test-support.ts';

let directory: string;
let store: TileStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-tiles-'));
  store = openPosixTileStore(join(directory, 'log'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const log = new FakeLog(20);
const at = (...names: string[]) => join(directory, 'log', ...names);

describe('tiles', () => {
  const tile = new Uint8Array(64).fill(5);

  it('are files at their paths', async () => {
    await store.write('tile/0/x001/234.p/2', tile);
    expect(new Uint8Array(readFileSync(at('tile/0/x001/234.p/2')))).toEqual(tile);
    expect(new Uint8Array((await store.read('tile/0/x001/234.p/2')) ?? [])).toEqual(tile);
    expect(readdirSync(at('.tmp'))).toEqual([]);
  });

  it('that are not there are undefined, and reading creates nothing', async () => {
    expect(await store.read('tile/0/000')).toBeUndefined();
    expect(await store.readCheckpoint()).toBeUndefined();
    expect(existsSync(at())).toBe(false);
  });

  it('are written once: the same bytes again pass, others do not', async () => {
    await store.write('tile/0/000.p/2', tile);
    await store.write('tile/0/000.p/2', tile);
    await expect(store.write('tile/0/000.p/2', new Uint8Array(64))).rejects.toThrow(LogUnavailable);
    expect(new Uint8Array((await store.read('tile/0/000.p/2')) ?? [])).toEqual(tile);
  });

  it('have the size of their width', async () => {
    await expect(store.write('tile/0/000.p/2', new Uint8Array(63))).rejects.toThrow(TypeError);
    await expect(store.write('tile/0/000.p/2', new Uint8Array(65))).rejects.toThrow(TypeError);
    await store.write('tile/0/000.p/2', tile);
    writeFileSync(at('tile/0/000.p/2'), Buffer.alloc(1_000_000));
    await expect(store.read('tile/0/000.p/2')).rejects.toThrow(LogUnavailable);
  });

  it('lie nowhere but at tile paths', async () => {
    writeFileSync(join(directory, 'secret'), 'secret');
    for (const path of [
      '../secret',
      'checkpoint',
      'tile/../../secret',
      '/etc/passwd',
      'tile/0/000.p/0',
      '',
    ]) {
      await expect(store.read(path)).rejects.toThrow(TypeError);
      await expect(store.write(path, tile)).rejects.toThrow(TypeError);
      await expect(store.removePartials(path)).rejects.toThrow(TypeError);
    }
    expect(readFileSync(join(directory, 'secret'), 'utf8')).toBe('secret');
  });

  it('that are partial go once the full one is there, not before', async () => {
    await store.write('tile/0/000.p/2', tile);
    await expect(store.removePartials('tile/0/000')).rejects.toThrow(LogUnavailable);
    await expect(store.removePartials('tile/0/000.p/2')).rejects.toThrow(TypeError);
    expect(existsSync(at('tile/0/000.p/2'))).toBe(true);
    await store.write('tile/0/000', new Uint8Array(8192));
    await store.removePartials('tile/0/000');
    expect(existsSync(at('tile/0/000.p'))).toBe(false);
    await store.write('tile/0/000.p/2', tile);
    expect(existsSync(at('tile/0/000.p/2'))).toBe(true);
  });

  it('fail as an unavailable log when the file system fails', async () => {
    writeFileSync(at(), 'a file where the folder should be');
    await expect(store.write('tile/0/000.p/2', tile)).rejects.toThrow(LogUnavailable);
    await expect(store.replaceCheckpoint(undefined, log.checkpointAt(1))).rejects.toThrow(LogUnavailable);
  });
});

describe('the checkpoint', () => {
  const [one, two] = [log.checkpointAt(1), log.checkpointAt(2)];

  it('moves from what was expected, else not', async () => {
    expect(await store.replaceCheckpoint(two, one)).toBe(false);
    expect(existsSync(at('checkpoint'))).toBe(false);
    expect(await store.replaceCheckpoint(undefined, one)).toBe(true);
    expect(await store.replaceCheckpoint(undefined, two)).toBe(false);
    expect(await store.readCheckpoint()).toBe(one);
    expect(await store.replaceCheckpoint(one, two)).toBe(true);
    expect(readFileSync(at('checkpoint'), 'utf8')).toBe(two);
    expect(readdirSync(at('.tmp'))).toEqual([]);
  });

  it('never goes backwards, nor to another root or log', async () => {
    await store.replaceCheckpoint(undefined, two);
    const fork = new FakeLog(9, (index) => Buffer.of(index));
    for (const wrong of [one, fork.checkpointAt(2), log.checkpointAt(3, 'example.com/other'), 'hello', '']) {
      await expect(store.replaceCheckpoint(two, wrong)).rejects.toThrow(LogUnavailable);
      expect(await store.readCheckpoint()).toBe(two);
    }
    expect(readdirSync(at('.tmp'))).toEqual([]);
  });

  it('moves once, however many race for it', async () => {
    const stores = Array.from({ length: 8 }, () => openPosixTileStore(at()));
    const results = await Promise.all(
      stores.map((racer, index) => racer.replaceCheckpoint(undefined, log.checkpointAt(index + 1))),
    );
    expect(results.filter((moved) => moved)).toHaveLength(1);
    expect(await store.readCheckpoint()).toBe(log.checkpointAt(results.indexOf(true) + 1));
  });

  it('that was damaged is not overwritten in silence', async () => {
    await store.replaceCheckpoint(undefined, one);
    writeFileSync(at('checkpoint'), one.slice(0, 20));
    await expect(store.replaceCheckpoint(one.slice(0, 20), two)).rejects.toThrow('damaged');
    writeFileSync(at('checkpoint'), Buffer.alloc(2_000_000));
    await expect(store.readCheckpoint()).rejects.toThrow(LogUnavailable);
  });
});

it('the lock on the checkpoint ends with what it guarded, also when that throws', async () => {
  await store.replaceCheckpoint(undefined, log.checkpointAt(1));
  expect(() =>
    withCheckpointLock(at('checkpoint.lock'), () => {
      throw new RangeError('inside');
    }),
  ).toThrow(RangeError);
  expect(withCheckpointLock(at('checkpoint.lock'), () => 'again')).toBe('again');
});
