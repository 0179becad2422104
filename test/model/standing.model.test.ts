import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { isDenial, REASON_CODES, REASONS, type ReasonCode, STAGES } from '../../src/denial/index.ts';
import type { OpenExecution } from '../../src/governor/index.ts';
import { LATER_FAULTS, type LaterFault } from './standing-faults.ts';
import { type Kind, StandingWorld } from './standing-world.ts';

const codeOf = ({ signal }: OpenExecution) => (isDenial(signal.reason) ? signal.reason.code : 'runs');

const KINDS: readonly Kind[] = ['bound', 'plain'];

/**
 * What becomes of an execution, written once and obviously right: it runs until something concerns it, and then ends with
 * the code of the first stage that speaks.
 */
function referenceStanding(kind: Kind, faults: readonly LaterFault[]): 'runs' | ReasonCode {
  const [first] = faults
    .filter(({ ends }) => ends[kind] !== undefined)
    .toSorted((left, right) => STAGES.indexOf(left.stage) - STAGES.indexOf(right.stage));
  return first?.ends[kind] ?? 'runs';
}

describe('an execution that runs', () => {
  it.each(LATER_FAULTS.map((fault) => [fault.stage, fault.name, fault] as const))(
    'is stopped by what stage %s says later: %s; and only whom it concerns',
    async (_stage, _name, fault) => {
      const world = new StandingWorld();
      const executions = await Promise.all(KINDS.map((kind) => world.begin(kind)));
      await world.governor.reverify();
      expect(executions.map(codeOf)).toEqual(['runs', 'runs']);
      fault.apply(world);
      await world.governor.reverify();
      const expected = KINDS.map((kind) => fault.ends[kind] ?? 'runs');
      expect(executions.map(codeOf)).toEqual(expected);
      for (const execution of executions) execution.conclude({ status: 'succeeded' });
      await world.governor.settle();
      expect(world.outcomes().map(({ id, status, code }) => ({ id, status, code }))).toEqual(
        executions.map(({ executionId }, at) =>
          expected[at] === 'runs'
            ? { id: executionId, status: 'succeeded', code: undefined }
            : { id: executionId, status: 'terminated', code: expected[at] },
        ),
      );
      await world.governor.close();
    },
  );

  it('has a later fault for every code that can come later', () => {
    const covered = new Set(LATER_FAULTS.flatMap(({ ends }) => Object.values(ends)));
    const later = REASON_CODES.filter((code) =>
      ['environment', 'revocation', 'policy'].includes(REASONS[code].stage),
    );
    expect(later.filter((code) => !covered.has(code))).toEqual([]);
    for (const code of ['artifact.expired', 'artifact.not_yet_valid', 'artifact.untrusted_issuer'] as const) {
      expect(covered).toContain(code);
    }
  });

  it('is never begun on what has moved while its permit became durable', async () => {
    for (const fault of LATER_FAULTS.filter(({ ends }) => ends.bound !== undefined)) {
      const world = new StandingWorld();
      const starting = world.begin('bound');
      fault.apply(world);
      const started = await starting.catch((error: Error) => error.message);
      // What only the clock ends is left to the first pass after the start.
      const mayStart = fault.touches === 'clock' || fault.name === 'the policy is gone';
      if (!mayStart) expect(started, fault.name).toContain(fault.ends.bound);
      else if (typeof started !== 'string') {
        await world.governor.reverify();
        expect(codeOf(started), fault.name).toBe(fault.ends.bound);
      }
      await world.governor.close();
    }
  });

  it('is recorded as terminated although its effect never ends', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const world = new StandingWorld();
      const { governor } = world;
      const execution = await world.begin('bound');
      world.say({ event: 'revoked', handle: 'token', value: world.rootId('bound') });
      await governor.reverify();
      expect(world.outcomes()).toEqual([]);
      vi.advanceTimersByTime(1000);
      await governor.settle();
      expect(governor.runningCount).toBe(0);
      expect(execution.conclude({ status: 'succeeded' })?.code).toBe('revocation.revoked');
      await governor.settle();
      expect(world.outcomes()).toMatchObject([{ status: 'terminated', code: 'revocation.revoked' }]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends when the reference says so and with its code, whatever comes together and in whatever order', async () => {
    // Faults in steps: those of one step are seen together; whatever still may begin begins before each of them.
    const steps = fc
      .array(fc.tuple(fc.constantFrom(...LATER_FAULTS), fc.boolean()), { minLength: 1, maxLength: 6 })
      .map((drawn) => {
        const touched = new Set<string>();
        const chosen: LaterFault[][] = [];
        for (const [fault, together] of drawn) {
          if (touched.has(fault.touches)) continue;
          touched.add(fault.touches);
          const last = chosen.at(-1);
          if (together && last !== undefined) last.push(fault);
          else chosen.push([fault]);
        }
        return chosen;
      });
    let survived = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (chosen) => {
        const world = new StandingWorld();
        const running: { readonly kind: Kind; readonly execution: OpenExecution }[] = [];
        const applied: LaterFault[] = [];
        for (const faults of chosen) {
          for (const kind of KINDS) {
            if (referenceStanding(kind, applied) !== 'runs') continue;
            for (const at of [0, 1, 1]) running.push({ kind, execution: await world.begin(kind, at) });
          }
          const before = running.map(({ execution }) => codeOf(execution));
          for (const fault of faults) fault.apply(world);
          applied.push(...faults);
          await world.governor.reverify();
          // What was stopped stays stopped, for its first reason.
          const expected = running.map(({ kind }, at) =>
            before[at] === 'runs' ? referenceStanding(kind, faults) : before[at],
          );
          expect(running.map(({ execution }) => codeOf(execution))).toEqual(expected);
        }
        survived += running.filter(({ execution }) => codeOf(execution) === 'runs').length;
        for (const { execution } of running) execution.conclude({ status: 'unknown' });
        expect(world.governor.runningCount).toBe(0);
        await world.governor.close();
      }),
      { numRuns: 60, seed: 20261127 },
    );
    expect(survived).toBeGreaterThan(20);
  });
});
