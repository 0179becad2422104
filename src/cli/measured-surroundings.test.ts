import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestDomain } from '../../test/support/trust-domain.ts';
import { digestOf } from '../codec/index.ts';
import { type Component, measureSurroundings } from '../environment/index.ts';
import { environmentFileText } from '../governor/index.ts';
import { measureRuntime, surroundingsOf } from './measured-surroundings.ts';
import { Session } from './session.ts';
import { processSurroundings } from './surroundings.ts';

let domain: TestDomain;
beforeAll(async () => {
  domain = await TestDomain.create();
});
afterAll(() => domain.dispose());

test('what changed while the governor was being opened is told as soon as it can be', async () => {
  const { home, folder } = domain;
  const job = join(folder, 'job.mjs');
  writeFileSync(job, 'export {};');
  writeFileSync(home.environmentFile, environmentFileText({ measure: ['configuration'] }));
  let clockReads = 0;
  const clockMs = () => {
    clockReads += 1;
    return clockReads * 1000;
  };
  const session = new Session({ ...processSurroundings(), clockMs }, {});
  const measureProgram = async (): Promise<readonly Component[]> => [
    { kind: 'upstream', name: 'job.mjs', digest: digestOf(readFileSync(job, 'utf8')) },
  ];
  const environment = measureRuntime(session, home, { folder, words: ['job.mjs'] }, measureProgram);
  try {
    const opened = await environment.components;
    writeFileSync(job, 'export const changed = true;');
    let isFoundAnew = false;
    const endMs = performance.now() + 5000;
    while (!isFoundAnew && performance.now() < endMs) {
      environment.follow({
        setComponents: () => {
          isFoundAnew = true;
        },
      });
      await setImmediate();
    }
    const told: (readonly [readonly Component[], number])[] = [];
    const governor = {
      setComponents: (components: readonly Component[], atSeconds: number) => {
        told.push([components, atSeconds]);
      },
    };
    environment.follow(governor);
    // As old as its beginning: the clock was read as this was begun, as the first was, and before both.
    expect(told).toEqual([[expect.arrayContaining([...(await measureProgram())]), 3]]);
    expect(told[0]?.[0]).not.toEqual(opened);
    const around = await measureSurroundings(['configuration'], surroundingsOf(session, home, folder), 3);
    expect(told[0]?.[0]).toEqual(expect.arrayContaining([...around]));
  } finally {
    environment.stop();
  }
});
