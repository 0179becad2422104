import { describe, expect, it } from 'vitest';
import { digestOf } from '../codec/index.ts';
import {
  type ApprovalFact,
  type ApprovalRequirement,
  approvalsOfOthers,
  canonicalAction,
  checkApprovals,
  mergeRequirements,
} from './approval.ts';

const NOW = 1000;

const fact = (approver: string, change: Partial<ApprovalFact> = {}): ApprovalFact => ({
  nonce: `nonce-of-${approver}`,
  approver,
  role: 'operator',
  decision: 'approve',
  nbfSeconds: NOW - 10,
  expSeconds: NOW + 10,
  keyThumbprint: `key-of-${approver}`,
  ...change,
});

const two: ApprovalRequirement[] = [{ role: 'operator', threshold: 2 }];

function codeOf(
  requirements: readonly ApprovalRequirement[],
  approvals: readonly ApprovalFact[],
  requesters: readonly string[] = ['requester'],
): string {
  const others = approvalsOfOthers(approvals, { subjects: requesters, keyThumbprints: ['key-of-agent'] });
  return checkApprovals(mergeRequirements(requirements), others, NOW)?.code ?? 'approved';
}

describe('checkApprovals', () => {
  it('asks nobody where nothing is required', () => {
    expect(codeOf([], [])).toBe('approved');
    expect(codeOf([], [fact('a', { decision: 'reject' })])).toBe('approved');
  });

  it('counts people, not signatures', () => {
    expect(codeOf(two, [fact('a'), fact('b')])).toBe('approved');
    expect(codeOf(two, [fact('a'), fact('a')])).toBe('approval.required');
    expect(codeOf(two, [fact('a')])).toBe('approval.required');
    expect(codeOf(two, [])).toBe('approval.required');
  });

  it('does not count whoever asks', () => {
    expect(codeOf(two, [fact('a'), fact('requester')])).toBe('approval.required');
    expect(codeOf(two, [fact('a'), fact('delegate')], ['requester', 'delegate'])).toBe('approval.required');
    expect(codeOf(two, [fact('a'), fact('b', { keyThumbprint: 'key-of-agent' })])).toBe('approval.required');
    // Nor can who asks stand in the way of what others would consent to.
    expect(codeOf(two, [fact('a'), fact('b'), fact('requester', { decision: 'reject' })])).toBe('approved');
  });

  it('counts only consent in the role that is required', () => {
    expect(codeOf(two, [fact('a'), fact('b', { role: 'auditor' })])).toBe('approval.required');
    const both = [...two, { role: 'auditor', threshold: 1 }];
    expect(codeOf(both, [fact('a'), fact('b')])).toBe('approval.required');
    expect(codeOf(both, [fact('a'), fact('b'), fact('c', { role: 'auditor' })])).toBe('approved');
  });

  it('lets any rejection win, in any role, before or after consent, late or not', () => {
    for (const change of [{}, { role: 'auditor' }, { expSeconds: NOW - 1 }, { nbfSeconds: NOW + 1 }]) {
      const reject = fact('c', { decision: 'reject', ...change });
      expect(codeOf(two, [reject, fact('a'), fact('b')])).toBe('approval.rejected');
      expect(codeOf(two, [fact('a'), fact('b'), reject])).toBe('approval.rejected');
    }
  });

  it('holds from nbf up to, not at, exp', () => {
    expect(codeOf(two, [fact('a', { nbfSeconds: NOW }), fact('b')])).toBe('approved');
    expect(codeOf(two, [fact('a', { nbfSeconds: NOW + 1 }), fact('b')])).toBe('approval.required');
    expect(codeOf(two, [fact('a', { expSeconds: NOW }), fact('b')])).toBe('approval.expired');
    // Expired where some role has only that to lack; required where another role lacks people altogether.
    const both = [...two, { role: 'auditor', threshold: 1 }];
    const late = [fact('a', { expSeconds: NOW }), fact('b')];
    expect(codeOf(both, late)).toBe('approval.required');
    expect(codeOf(both, [...late, fact('c', { role: 'auditor' })])).toBe('approval.expired');
  });

  it('asks for people even where a threshold is no number', () => {
    expect(codeOf([{ role: 'operator', threshold: Number.NaN }], [fact('a')])).toBe('approval.required');
  });
});

describe('distinct people across roles', () => {
  const both: ApprovalRequirement[] = [
    { role: 'operator', threshold: 1 },
    { role: 'security', threshold: 1 },
  ];
  const as = (approver: string, ...roles: string[]) =>
    roles.map((role) => fact(approver, { role, nonce: `${approver}-${role}` }));

  it('nobody counts for two roles, however many they consent in', () => {
    expect(codeOf(both, as('a', 'operator', 'security'))).toBe('approval.required');
    expect(codeOf(both, [...as('a', 'operator', 'security'), ...as('b', 'operator')])).toBe('approved');
    expect(codeOf(both, [...as('b', 'operator'), ...as('a', 'operator', 'security')])).toBe('approved');
    expect(codeOf(both, [...as('a', 'security'), ...as('b', 'security')])).toBe('approval.required');
  });

  it('places people wherever all fit, whatever the order', () => {
    const three = [...both, { role: 'legal', threshold: 2 }];
    const given = [
      ...as('a', 'legal', 'operator', 'security'),
      ...as('b', 'legal', 'operator'),
      ...as('c', 'legal'),
      ...as('d', 'legal'),
    ];
    expect(codeOf(three, given)).toBe('approved');
    expect(codeOf(three, given.toReversed())).toBe('approved');
    expect(codeOf(three, given.slice(0, -1))).toBe('approval.required');
  });

  it('asks for the most of what artifact and policy ask for a role, not for the sum', () => {
    expect(codeOf([...two, { role: 'operator', threshold: 1 }], [fact('a'), fact('b')])).toBe('approved');
  });
});

describe('break-glass', () => {
  const broken = (change: Partial<ApprovalFact> = {}) => fact('x', { role: 'break-glass', ...change });

  it('stands in for everybody, while it holds, and never against a rejection or for who asks', () => {
    expect(codeOf(two, [broken()])).toBe('approved');
    expect(codeOf(two, [broken({ expSeconds: NOW })])).toBe('approval.expired');
    expect(codeOf(two, [broken({ nbfSeconds: NOW + 1 })])).toBe('approval.required');
    expect(codeOf(two, [broken(), fact('c', { decision: 'reject' })])).toBe('approval.rejected');
    expect(codeOf(two, [broken()], ['x'])).toBe('approval.required');
  });
});

describe('canonicalAction', () => {
  it('binds tool, arguments, artifact, policy and enforcement point, each by itself', () => {
    const whole = {
      tool: 't',
      argsJcs: '{}',
      artifactDigest: digestOf('artifact'),
      policyDigest: digestOf('policy'),
      audience: 'fs',
    };
    const variants = [
      whole,
      { ...whole, tool: 'u' },
      { ...whole, argsJcs: '{"a":1}' },
      { ...whole, artifactDigest: digestOf('policy') },
      { ...whole, policyDigest: digestOf('artifact') },
      { ...whole, audience: 'fs~2' },
    ];
    expect(new Set(variants.map(canonicalAction)).size).toBe(variants.length);
  });
});
