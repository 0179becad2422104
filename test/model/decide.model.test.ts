import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decision, decide, Permit } from '../../src/decision/index.ts';
import { deny, isDenial, REASON_CODES, REASONS, STAGES, type Stage } from '../../src/denial/index.ts';
import { build, type Draft, newDraft } from './draft.ts';
import { FAULTS, type Fault, VARIATIONS } from './faults.ts';
import { type Opinions, referenceDecision } from './reference.ts';

const answerOf = ({ answer }: Decision) => (isDenial(answer) ? answer.code : 'permit');

function decideWith(changes: readonly { apply: (draft: Draft) => void }[]): Decision {
  const draft = newDraft();
  for (const change of changes) change.apply(draft);
  const { action, snapshot } = build(draft);
  return decide(action, snapshot);
}

const ALL = STAGES.flatMap((stage) => FAULTS[stage].map((fault) => ({ stage, fault })));

describe('decide, against the reference model', () => {
  it('permits when nothing is wrong, whatever else is granted', () => {
    expect(answerOf(decideWith([]))).toBe('permit');
    for (const variation of VARIATIONS) {
      const decision = decideWith([variation]);
      expect(answerOf(decision), variation.name).toBe('permit');
      expect(Object.values(decision.stages)).toEqual(STAGES.map(() => 'pass'));
      expect(Permit.isPermit(decision.answer)).toBe(true);
      // For this very request and no other.
      expect(decision.answer).toMatchObject({ requestDigest: decision.findings.request?.digest });
    }
  });

  it.each(ALL.map(({ stage, fault }) => [stage, fault.name, fault] as const))(
    'stage %s denies: %s',
    (stage, _name, fault) => {
      const decision = decideWith([fault]);
      expect(answerOf(decision)).toBe(fault.code);
      const failed = STAGES.indexOf(stage);
      expect(STAGES.map((name) => decision.stages[name])).toEqual(
        STAGES.map((_, index) => (index < failed ? 'pass' : index === failed ? 'fail' : 'skip')),
      );
    },
  );

  it.each(REASON_CODES)(
    'an enforcement point that found %s denies at its stage, and never permits',
    (code) => {
      const { action, snapshot } = build(newDraft());
      const { answer, stages } = decide({ ...action, refusal: deny(code, 'found by the gateway') }, snapshot);
      expect(isDenial(answer) && answer.code).toBe(code);
      const { stage } = REASONS[code];
      const failed = stage === 'any' ? 0 : STAGES.indexOf(stage);
      expect(STAGES.map((name) => stages[name])).toEqual(
        STAGES.map((_, index) => (index < failed ? 'pass' : index === failed ? 'fail' : 'skip')),
      );
      // What is wrong before that stage is said first.
      const worse = decide({ ...action, presentation: undefined, refusal: deny(code, 'found') }, snapshot);
      const expected =
        failed <= STAGES.indexOf('artifact') && stage !== 'artifact' ? code : 'artifact.missing';
      expect(isDenial(worse.answer) && worse.answer.code).toBe(expected);
    },
  );

  it('has a fault for every code but the one for the unforeseen', () => {
    const covered = new Set(ALL.map(({ fault }) => fault.code));
    const missing = REASON_CODES.filter((code) => !covered.has(code) && REASONS[code].stage !== 'any');
    expect(missing).toEqual([]);
  });

  it('gives what the reference gives for any combination of faults', { timeout: 120_000 }, () => {
    // Most stages are left in order, so that every stage gets its turn to be the first that fails.
    const faultOf = (stage: Stage) =>
      fc.oneof(
        { weight: 9, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom(...FAULTS[stage]) },
      );
    const combination = fc.record(
      Object.fromEntries(STAGES.map((stage) => [stage, faultOf(stage)])) as Record<
        Stage,
        fc.Arbitrary<Fault | undefined>
      >,
    );
    let permits = 0;
    fc.assert(
      fc.property(combination, (faults) => {
        const chosen = STAGES.flatMap((stage) => faults[stage] ?? []);
        if (!composable(chosen)) return;
        const opinions = Object.fromEntries(
          STAGES.map((stage) => [stage, faults[stage]?.code ?? 'pass']),
        ) as Opinions;
        const expected = referenceDecision(opinions);
        if (expected === 'permit') permits += 1;
        expect(answerOf(decideWith(chosen))).toBe(expected);
      }),
      { numRuns: 1500, seed: 20261123 },
    );
    // The generator reaches both answers.
    expect(permits).toBeGreaterThan(20);
  });

  it('is deterministic, and blind to the order of unordered inputs', () => {
    fc.assert(
      fc.property(fc.subarray(ALL, { maxLength: 3 }), fc.boolean(), (faults, reversed) => {
        const changes = faults.map(({ fault }) => fault);
        const draft = newDraft();
        for (const change of changes) change.apply(draft);
        const { action, snapshot } = build(draft);
        const first = decide(action, snapshot);
        const shuffled = {
          ...snapshot,
          findApprovals: (text: string) => {
            const { actionDigest, given } = snapshot.findApprovals(text);
            return { actionDigest, given: reversed ? given.toReversed() : given };
          },
        };
        draft.components.reverse();
        draft.revoke.reverse();
        const second = decide(action, shuffled);
        expect(answerOf(second)).toBe(answerOf(first));
        expect(second.stages).toEqual(first.stages);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it('denies when a dependency throws, and names the stage', () => {
    const draft = newDraft();
    VARIATIONS.find(({ name }) => name === 'an approval')?.apply(draft);
    const { action, snapshot } = build(draft);
    for (const hostile of [
      'audiences',
      'governance',
      'policy',
      'measurement',
      'findApprovals',
      'replay',
      'record',
    ]) {
      const broken = Object.defineProperty({ ...snapshot }, hostile, {
        get() {
          throw new Error('broken');
        },
      });
      const { answer } = decide(action, broken);
      expect(isDenial(answer) && answer.code, hostile).toBe('internal.unexpected');
    }
  });
});

/** Faults that undo each other's set-up can't be combined into a draft that means both. */
function composable(faults: readonly Fault[]): boolean {
  const names = new Set(faults.map(({ name }) => name));
  const conflicts: [string, string][] = [
    ['nothing measured', 'environment revoked'],
    ['no policy published', 'policy revoked'],
    ['bundle not at hand', 'policy revoked'],
    ['bundle not at hand', 'tool definition changed'],
    ['for another enforcement point', 'for no enforcement point in particular'],
    ['bundle at hand is another', 'policy revoked'],
    ['presentation that is no request', 'nothing presented'],
    ['presentation that is no request', 'unreadable presentation'],
    ['for no enforcement point in particular', 'budget of the root on what is no number'],
    ['for no enforcement point in particular', 'counted elsewhere'],
    ['initiator enrolled with another key', 'approved by the person who set it in motion'],
    ['initiator enrolled with another key', 'approved by the agent that delegated'],
    ['initiator not enrolled', 'approved by the person who set it in motion'],
    ['initiator not enrolled', 'approved by the agent that delegated'],
    ['policy forbids', 'nobody asked whom policy names'],
    ['no policy permits', 'nobody asked whom policy names'],
    ['a forbid that errs', 'nobody asked whom policy names'],
  ];
  return !conflicts.some(([left, right]) => names.has(left) && names.has(right));
}
