import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../campaign/random.ts';
import { APPENDS, FAULT_MATRIX, type FaultRun, recordTargets, runFault } from './fault-matrix.ts';
import { findInjectors, type Target } from './injectors.ts';

// A few cells of the matrix that `node test/campaign/faults.ts` plays whole (docs/campaigns.md).

const SEED = 3;
const CALLS = ['pwrite64', 'fsync', 'rename', 'fcntl'];

const injectors = findInjectors();

describe.skipIf(injectors === undefined)('a log one of whose system calls goes wrong', () => {
  const runs: FaultRun[] = [];
  let targets: readonly Target[] = [];

  beforeAll(async () => {
    if (injectors === undefined) return;
    ({ targets } = await recordTargets(injectors));
    const random = new Random(SEED);
    const cells = CALLS.flatMap((call) => {
      const made = targets.filter((target) => target.call === call);
      return (FAULT_MATRIX[call] ?? []).map((fault) => ({
        fault,
        target: made[random.between(0, made.length - 1)],
      }));
    });
    const playOn = async (): Promise<void> => {
      for (let cell = cells.shift(); cell !== undefined; cell = cells.shift()) {
        if (cell.target === undefined) throw new Error('the run makes no such call');
        const run = await runFault(injectors, cell.target, cell.fault);
        if (run !== undefined) runs.push(run);
      }
    };
    await Promise.all([playOn(), playOn()]);
  }, 240_000);

  it('loses nothing acknowledged, runs no unrecorded permit, and can be resumed', () => {
    expect(
      runs.flatMap(({ target, fault, violations }) => violations.map((what) => ({ target, fault, what }))),
    ).toEqual([]);
    expect(runs.filter(({ reached }) => !reached)).toEqual([]);
    expect(runs.some(({ ending }) => ending === 'killed')).toBe(true);
    expect(runs.some(({ ending }) => ending === 'refused')).toBe(true);
  });

  it('publishes and syncs while it appends, so that there is something to go wrong', () => {
    expect(APPENDS).toBeGreaterThanOrEqual(300);
    const paths = targets.map(({ call, path }) => `${call} ${path}`);
    expect(paths.filter((path) => path === 'pwrite64 log.sqlite-wal').length).toBeGreaterThan(50);
    expect(paths.filter((path) => path.startsWith('rename .tmp/')).length).toBeGreaterThan(5);
  });
});
