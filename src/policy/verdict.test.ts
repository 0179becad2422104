import { expect, it } from 'vitest';
import { outcome } from './samples.test-support.ts';
import { verdictOf } from './verdict.ts';

const KNOWN = new Map([['p', []]]);
const error = {
  policyId: 'q',
  error: { message: 'SECRET', help: null, code: null, url: null, severity: null },
};

it('permits only a successful, error-free allow by policies of the set', () => {
  const answer = (decision: 'allow' | 'deny', reason: string[], errors: (typeof error)[] = []) =>
    outcome(
      verdictOf(
        { type: 'success', response: { decision, diagnostics: { reason, errors } }, warnings: [] },
        KNOWN,
      ),
    );
  expect(answer('allow', ['p'])).toBe('permit');
  expect(answer('allow', ['p'], [error])).toBe('policy.evaluation_failed');
  expect(answer('deny', ['p'], [error])).toBe('policy.evaluation_failed');
  expect(answer('deny', [], [error])).toBe('policy.evaluation_failed');
  expect(answer('allow', [])).toBe('policy.evaluation_failed');
  expect(answer('allow', ['unknown'])).toBe('policy.evaluation_failed');
  expect(answer('deny', ['p'])).toBe('policy.forbidden');
  expect(answer('deny', [])).toBe('policy.not_permitted');
  expect(outcome(verdictOf({ type: 'failure', errors: [], warnings: [] }, KNOWN))).toBe(
    'policy.evaluation_failed',
  );
});
