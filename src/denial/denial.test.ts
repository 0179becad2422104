import { describe, expect, it } from 'vitest';
import { Denial, deny, isDenial, isReasonCode, REASON_CODES, REASONS, STAGES } from './index.ts';

describe('reason codes', () => {
  it('are pinned: code, stage, public text and status mappings are API', () => {
    expect(REASONS).toMatchSnapshot();
  });

  it('each belong to the stage they are named for', () => {
    const stageOfPrefix: Record<string, string> = { log: 'record', internal: 'any' };
    for (const code of REASON_CODES) {
      const prefix = code.slice(0, code.indexOf('.'));
      expect(REASONS[code].stage, code).toBe(stageOfPrefix[prefix] ?? prefix);
    }
  });

  it('cover every stage', () => {
    const covered = new Set(REASON_CODES.map((code) => REASONS[code].stage));
    for (const stage of STAGES) expect(covered, stage).toContain(stage);
  });

  it('are told from unknown text, and inherited members are not codes', () => {
    expect(isReasonCode('scope.tool_not_granted')).toBe(true);
    for (const text of ['', 'toString', '__proto__', 'scope.unknown', undefined, 7]) {
      expect(isReasonCode(text)).toBe(false);
    }
  });
});

describe('Denial', () => {
  it('is an immutable value that knows its reason', () => {
    const denial = deny('replay.detected', 'jti seen');
    expect(isDenial(denial)).toBe(true);
    expect(denial).toBeInstanceOf(Denial);
    expect(denial.reason.http).toBe(401);
    expect(() => Object.assign(denial, { code: 'log.unavailable' })).toThrow(TypeError);
  });

  it('bounds its detail and keeps it well-formed, so that every denial can be recorded', () => {
    expect(deny('request.malformed', 'x'.repeat(10_000)).detail).toHaveLength(500);
    expect(
      deny('request.malformed', `${'x'.repeat(498)}${'\u{1F600}'.repeat(9)}`).detail.isWellFormed(),
    ).toBe(true);
    expect(deny('request.malformed', 'parent \ud800').detail.isWellFormed()).toBe(true);
  });
});
