import { describe, expect, it } from 'vitest';
import { formatDuration, formatTime, parseDuration, parseWholeNumber } from './duration.ts';

describe('durations', () => {
  it('reads a number and a unit, and nothing else', () => {
    expect(['30s', '15m', '8h', '7d'].map((text) => parseDuration(text, '--ttl'))).toEqual([
      30, 900, 28_800, 604_800,
    ]);
    for (const text of ['', '8', 'h', '0s', '-1h', '1.5h', '8 h', '8H', '999999999d', '8h1']) {
      expect(() => parseDuration(text, '--ttl'), text).toThrow(/--ttl/);
    }
  });

  it('tells the two largest units', () => {
    expect([0, 59, 61, 3600, 90_061].map(formatDuration)).toEqual(['0s', '59s', '1m 1s', '1h', '1d 1h']);
  });

  it('tells times, and what is no time as it is', () => {
    expect(formatTime(0)).toBe('1970-01-01T00:00:00Z');
    expect(formatTime(1e300)).toBe('1e+300');
  });

  it('reads whole numbers from a minimum on', () => {
    expect(parseWholeNumber('0', '--tail')).toBe(0);
    for (const text of ['', '-1', '1.0', '1e3', '0x10', '9'.repeat(16)]) {
      expect(() => parseWholeNumber(text, '--tail'), text).toThrow(/--tail/);
    }
    expect(() => parseWholeNumber('0', '--max-uses', 1)).toThrow();
  });
});
