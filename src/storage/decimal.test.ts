import fc from 'fast-check';
import { expect, it } from 'vitest';
import { add, decimalOf, exceeds, formatDecimal, parseDecimal, ZERO } from './decimal.ts';

const amount = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });

it('an amount is the decimal its text says', () => {
  expect(
    ['0', '1', '0.1', '100', '1e+21', '5e-324', '1.5e-7'].map((text) =>
      formatDecimal(decimalOf(Number(text))),
    ),
  ).toEqual(['0', '1', '1e-1', '100', `1${'0'.repeat(21)}`, '5e-324', '15e-8']);
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => decimalOf(bad)).toThrow(TypeError);
});

it('tenths add up to wholes, as numbers do not', () => {
  expect(0.1 + 0.2 > 0.3).toBe(true);
  expect(exceeds(add(decimalOf(0.1), decimalOf(0.2)), decimalOf(0.3))).toBe(false);
});

it('compares as numbers compare', () => {
  fc.assert(fc.property(amount, amount, (a, b) => exceeds(decimalOf(a), decimalOf(b)) === a > b));
});

it('sums are exact: order does not matter, and storing them changes nothing', () => {
  fc.assert(
    fc.property(fc.array(amount, { maxLength: 8 }), (amounts) => {
      const sum = (values: readonly number[]) => values.map(decimalOf).reduce(add, ZERO);
      const total = formatDecimal(sum(amounts));
      expect(formatDecimal(sum(amounts.toReversed()))).toBe(total);
      const stored = parseDecimal(total);
      expect(stored && formatDecimal(stored)).toBe(total);
    }),
  );
});

it('reads only what it writes', () => {
  for (const text of ['', '-1', '1.5', '1e5', '1e-', ' 1', '1e-9999', 'x', `${'9'.repeat(2000)}`]) {
    expect(parseDecimal(text)).toBeUndefined();
  }
});
