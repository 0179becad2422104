import { expect, test } from 'vitest';
import { GOVERNANCE_EVENT, type GovernanceEvent, type Role } from './event.ts';
import { GovernanceState } from './state.ts';

const common = {
  type: GOVERNANCE_EVENT,
  at: 1_700_000_000,
  actor: 'spiffe://example.test/user/ada',
} as const;
const caller = 'spiffe://example.test/caller/ci';
const hashes = ['A', 'B'].map((letter) => letter.repeat(42).concat('A'));
const [first = '', second = ''] = hashes;

function admit(hash: string, role: Role = 'auditor'): GovernanceEvent {
  return { ...common, event: 'caller.admitted', caller, role, hash };
}

test('a dismissed token stays known, and is never admitted again', () => {
  const state = GovernanceState.empty.apply(admit(first)).apply(admit(second));
  const after = state.apply({ ...common, event: 'caller.dismissed', caller, hash: first });
  expect(after.apiToken(first)).toMatchObject({ dismissed: true, role: 'auditor', caller });
  expect(after.apiToken(second)).toMatchObject({ dismissed: false });
  expect(state.apiToken(first)).toMatchObject({ dismissed: false });
  expect(after.findConflict(admit(first))).toContain('before');
  const none = after.apply({ ...common, event: 'caller.dismissed', caller });
  expect(none.apiTokens.every(({ dismissed }) => dismissed)).toBe(true);
  expect(none.findConflict({ ...common, event: 'caller.dismissed', caller })).toContain('no such');
});

test('a caller has one role at a time', () => {
  const state = GovernanceState.empty.apply(admit(first));
  expect(state.findConflict(admit(second, 'operator'))).toContain('another role');
  expect(state.apply(admit(second, 'operator')).apiToken(second)).toBeUndefined();
  const dismissed = state.apply({ ...common, event: 'caller.dismissed', caller });
  expect(dismissed.apply(admit(second, 'operator')).apiToken(second)?.role).toBe('operator');
});
