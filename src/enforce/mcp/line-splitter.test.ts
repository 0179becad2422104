import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

function split(chunks: readonly Buffer[], maxBytes = 1024) {
  const lines: string[] = [];
  let tooLong = 0;
  const splitter = new LineSplitter({
    maxBytes,
    onLine: (line) => lines.push(line.toString('latin1')),
    onTooLong: () => {
      tooLong += 1;
    },
  });
  for (const chunk of chunks) splitter.push(chunk);
  return { lines, tooLong, pendingBytes: splitter.pendingBytes };
}

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    const cuts = fc.array(fc.nat(200), { maxLength: 20 });
    const text = fc.array(fc.constantFrom(0x0a, 0x61, 0x0d, 0xff), { maxLength: 200 });
    fc.assert(
      fc.property(text, cuts, (octets, at) => {
        const bytes = Buffer.from(octets);
        const edges = [...new Set([0, ...at.filter((cut) => cut < bytes.length), bytes.length])].sort(
          (left, right) => left - right,
        );
        const chunks = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
        const expected = bytes.toString('latin1').match(/[^\n]*\n/g) ?? [];
        expect(split(chunks).lines).toEqual(expected);
      }),
    );
  });

  it('does not copy a line that lies within a chunk', () => {
    const chunk = Buffer.from('one\ntwo\n');
    const lines: Buffer[] = [];
    new LineSplitter({ maxBytes: 10, onLine: (line) => lines.push(line), onTooLong: () => {} }).push(chunk);
    expect(lines.map(({ buffer }) => buffer)).toEqual([chunk.buffer, chunk.buffer]);
  });

  it('skips a line that is too long, tells once and at once, and goes on with the next', () => {
    expect(split([Buffer.from('12345678\nok\n')], 8)).toMatchObject({ lines: ['ok\n'], tooLong: 1 });
    expect(split([Buffer.from('1234567\nok\n')], 8)).toMatchObject({
      lines: ['1234567\n', 'ok\n'],
      tooLong: 0,
    });
    expect(split([Buffer.from('12345'), Buffer.from('6789')], 8)).toMatchObject({
      tooLong: 1,
      pendingBytes: 0,
    });
    const pieces = ['12345', '67890', '1234567890', '\nok', '\n'].map((piece) => Buffer.from(piece));
    expect(split(pieces, 8)).toMatchObject({ lines: ['ok\n'], tooLong: 1 });
  });

  it('keeps no more than the bound of a line that never ends, also when it drips', () => {
    const drip = Array.from({ length: 5000 }, () => Buffer.from('x'));
    expect(split(drip, 10_000).pendingBytes).toBe(5000);
    expect(split([...drip, ...drip, ...drip], 10_000)).toMatchObject({ tooLong: 1, pendingBytes: 0 });
  });
});
