import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findDrift } from '../compare-measurements.ts';
import type { Component } from '../component.ts';
import { EnvironmentWatch } from './environment-watch.ts';
import { digestFile } from './file-digest.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-watch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test('what is unchanged is not measured again; what changes is, and is told, unasked', async () => {
  const path = write('file', 'one');
  let measured = 0;
  let told: (components: readonly Component[]) => void = () => undefined;
  const next = () => new Promise<readonly Component[]>((resolve) => (told = resolve));
  let fails = false;
  const watch = new EnvironmentWatch({
    measure: async () => {
      measured += 1;
      if (fails) throw new Error('cannot be measured');
      const digest = await digestFile(path);
      return digest === undefined ? [] : [{ kind: 'file', name: 'file', digest }];
    },
    paths: [path],
    everyMs: 3_600_000,
    onMeasured: (components) => told(components),
  });
  try {
    const first = await watch.measure();
    for (let times = 0; times < 10; times += 1) expect(await watch.measure()).toBe(first);
    expect(measured).toBe(1);

    let coming = next();
    writeFileSync(path, 'two, longer');
    const changed = await coming;
    expect(findDrift(first, changed)).toMatchObject([{ kind: 'file', change: 'changed' }]);

    // Whatever can be measured no longer is bound by nobody.
    fails = true;
    coming = next();
    writeFileSync(path, 'three, longer yet');
    expect(await coming).toEqual([]);
  } finally {
    watch.stop();
  }
});

test('a change while it is being measured is measured and told, unasked and without waiting for the timer', async () => {
  const path = write('file', 'one');
  const read = async () => {
    const digest = await digestFile(path);
    return digest === undefined ? [] : [{ kind: 'file', name: 'file', digest }];
  };
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const gate = Promise.withResolvers<void>();
  const isRead = Promise.withResolvers<void>();
  const told = Promise.withResolvers<readonly Component[]>();
  let measured = 0;
  let atOnce = 0;
  let mostAtOnce = 0;
  const watch = new EnvironmentWatch({
    measure: async () => {
      measured += 1;
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      const components = await read();
      // The first one has read everything, and is not done yet.
      isRead.resolve();
      if (measured === 1) await gate.promise;
      atOnce -= 1;
      return components;
    },
    paths: [path],
    everyMs: 3_600_000,
    onMeasured: (components) => told.resolve(components),
  });
  try {
    const first = watch.measure();
    await isRead.promise;
    writeFileSync(path, 'two, longer');
    // Seen, and due to be measured while the first one still is.
    while (vi.getTimerCount() === 0) await setImmediate();
    vi.runAllTimers();
    gate.resolve();
    const before = await first;
    expect(findDrift(before, await told.promise)).toMatchObject([{ kind: 'file', change: 'changed' }]);
    expect(await watch.measure()).toEqual(await read());
    expect({ measured, mostAtOnce }).toEqual({ measured: 2, mostAtOnce: 1 });
  } finally {
    watch.stop();
    vi.useRealTimers();
  }
});

test('a change is seen by its status where no event has come yet', async () => {
  const path = write('file', 'one');
  let measured = 0;
  const watch = new EnvironmentWatch({
    measure: async () => {
      measured += 1;
      return [];
    },
    // Not there yet, so nothing watches it.
    paths: [join(folder, 'absent'), path],
    everyMs: 3_600_000,
    onMeasured: () => undefined,
  });
  await watch.measure();
  writeFileSync(join(folder, 'absent'), 'now it is');
  await watch.measure();
  watch.stop();
  expect(measured).toBe(2);
});
