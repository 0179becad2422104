import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { passStderr } from './diagnostics.ts';

function passed(...chunks: readonly Buffer[]): string {
  const input = new PassThrough();
  const output = new PassThrough();
  passStderr(input, output);
  for (const chunk of chunks) input.emit('data', chunk);
  return String(output.read() ?? '');
}

describe("the upstream's stderr", () => {
  it.each([
    ['escape sequences', '\u001b[2Jx\u0007', '?[2Jx?'],
    ['C1 controls: CSI, OSC, DCS', '\u009b2Jx\u009d0;t\u009c\u0090', '?2Jx?0;t??'],
    ['what reorders or hides text', 'a\u202eb\u2066c\u200bd\u2028', 'a?b?c?d?'],
    ['and leaves alone what is text', 'žluťoučký\t🙂\r\n', 'žluťoučký\t🙂\r\n'],
  ])('loses %s', (_what, text, expected) => {
    expect(passed(Buffer.from(text))).toBe(expected);
  });

  it('hides no control in the gap between two chunks', () => {
    const bytes = Buffer.from('a\u009bž');
    expect(passed(...[...bytes].map((byte) => Buffer.of(byte)))).toBe('a?ž');
  });
});
