import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../codec/index.ts';
import { type ApprovalFact, type ApprovalRequirement, checkApprovals, digestOfAction } from './approval.ts';

const NOW = 1000;
const ACTION = digestOf('this action');

const fact = (approver: string, change: Partial<ApprovalFact> = {}): ApprovalFact => ({
  actionDigest: ACTION,
  approver,
  role: 'operator',
  decision: 'approve',
  nbfSeconds: NOW - 10,
  expSeconds: NOW + 10,
  ...change,
});

const two: ApprovalRequirement[] = [{ role: 'operator', threshold: 2 }];

function codeOf(
  requirements: readonly ApprovalRequirement[],
  approvals: readonly ApprovalFact[],
  requesters: readonly string[] = ['requester'],
): string {
  const context = { actionDigest: ACTION, requesters, nowSeconds: NOW };
  return checkApprovals(requirements, approvals, context)?.code ?? 'approved';
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
  });

  it('counts only consent to this very action, in the role that is required', () => {
    expect(codeOf(two, [fact('a'), fact('b', { actionDigest: digestOf('another') })])).toBe(
      'approval.required',
    );
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
    const elsewhere = fact('c', { decision: 'reject', actionDigest: digestOf('another') });
    expect(codeOf(two, [fact('a'), fact('b'), elsewhere])).toBe('approved');
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

describe('digestOfAction', () => {
  it('binds tool, arguments, artifact and policy, each by itself', () => {
    const artifact = digestOf('artifact');
    const policy = digestOf('policy');
    const variants: [string, string, Digest, Digest | undefined][] = [
      ['t', '{}', artifact, policy],
      ['u', '{}', artifact, policy],
      ['t', '{"a":1}', artifact, policy],
      ['t', '{}', policy, policy],
      ['t', '{}', artifact, artifact],
      ['t', '{}', artifact, undefined],
    ];
    expect(new Set(variants.map((parts) => digestOfAction(...parts))).size).toBe(variants.length);
  });
});
