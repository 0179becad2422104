import { expect, it } from 'vitest';
import { withCedar } from './cedar.ts';
import { slotUse } from './policy-slot.ts';
import { outcome, prepared, request } from './samples.test-support.ts';

const permit = (tag: number) => `@id("p${tag}") permit (principal, action, resource);`;

it('any number of bundles alive at once decide by their own policies, in a bounded number of slots', () => {
  const policies = Array.from({ length: 12 }, (_, tag) => prepared(permit(tag)));
  for (let round = 0; round < 3; round += 1) {
    for (const [tag, policy] of policies.entries()) {
      expect(policy.evaluate(request())).toMatchObject({ determining: [`p${tag}`] });
    }
  }
  const { held, bound } = slotUse();
  expect(held).toBeLessThanOrEqual(bound);
});

it('an instance of Cedar that trapped is replaced, and prepared policies go on', () => {
  const policy = prepared(permit(1));
  const before = withCedar((cedar) => cedar);
  const bomb = `permit (principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`;
  expect(() => withCedar((cedar) => cedar.checkParsePolicySet({ staticPolicies: bomb }))).toThrow();
  expect(outcome(policy.evaluate(request()))).toBe('permit');
  expect(withCedar((cedar) => cedar)).not.toBe(before);
});

it('evaluation on a nearly exhausted stack denies, and works again afterwards', () => {
  const policy = prepared(permit(1));
  const outcomes: string[] = [];
  /** Goes down until the stack ends, and evaluates on a few of the frames on the way back. */
  const descend = (): number => {
    let frame = 0;
    try {
      frame = descend();
    } catch {
      frame = 0;
    }
    if (frame % 50 === 0 && frame < 1000) {
      try {
        outcomes.push(outcome(policy.evaluate(request())));
      } catch {
        // Too little stack even to call.
      }
    }
    return frame + 1;
  };
  descend();
  expect(outcomes.length).toBeGreaterThan(0);
  for (const each of outcomes) expect(['permit', 'policy.evaluation_failed']).toContain(each);
  expect(outcome(policy.evaluate(request()))).toBe('permit');
});
