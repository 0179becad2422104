import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { good, painter, printable, printableJson } from './text.ts';

describe('printable', () => {
  it('shows what a terminal would act on as escapes', () => {
    expect(printable('a\u001b[2Jb')).toBe('a\\u{1b}[2Jb');
    expect(printable('\u202egnp.exe')).toBe('\\u{202e}gnp.exe');
    expect(printable('line\nline\u2028line')).toBe('line\\u{a}line\\u{2028}line');
    expect(printable('naïve – 日本')).toBe('naïve – 日本');
  });

  it('leaves nothing that a terminal would act on, and is bounded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 500 },
    );
    expect(printable('x'.repeat(1_000_000)).length).toBeLessThan(5000);
  });

  it('paints only where colours are on', () => {
    expect(painter(false)(good('permit'))).toBe('permit');
    expect(painter(true)(good('permit'))).toBe('\u001b[32mpermit\u001b[39m');
    expect(painter(true)(good('\u001b[31m'))).not.toContain('\u001b[31m');
  });
});

describe('printableJson', () => {
  it('stays the same JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = printableJson(JSON.stringify(value));
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 500 },
    );
  });

  it('escapes characters beyond the first plane as pairs', () => {
    expect(printableJson('"\u{e0041}\u009b"')).toBe('"\\udb40\\udc41\\u009b"');
  });
});
