import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAdmissibleNumber } from './index.ts';

describe('isAdmissibleNumber (AAT-02 §3.4)', () => {
  it.each([
    ...[
      '0',
      '-0',
      '0.0',
      '0e5',
      '0.1',
      '-0.10',
      '1e20',
      '1E+20',
      '100000000000000000000',
      '9007199254740994',
    ],
    ...[
      '9007199254740992',
      '5e-324',
      '1.7976931348623157e308',
      '123456789012345',
      '1.50',
      '0.000001',
      '1e-7',
    ],
  ])('admits %s', (text) => {
    expect(isAdmissibleNumber(text)).toBe(true);
  });

  it.each([
    ...[
      '9007199254740993',
      '1.00000000000000001',
      '1e400',
      '-1e400',
      '1e-400',
      '0.1000000000000000055511151231257827',
    ],
    ...['333333333.33333329', '1234567890123456789', '1e99999999999999999999', `1${'0'.repeat(400)}1`],
  ])('refuses %s', (text) => {
    expect(isAdmissibleNumber(text)).toBe(false);
  });

  it('admits every double as JSON writes it', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
        isAdmissibleNumber(JSON.stringify(value)),
      ),
    );
  });

  it('admits an integer exactly when the shortest form of its double is that integer', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
        const jcs = JSON.stringify(Number(value));
        expect(isAdmissibleNumber(String(value))).toBe(
          BigInt(Number(jcs).toLocaleString('fullwide', { useGrouping: false })) === value,
        );
      }),
    );
  });
});
