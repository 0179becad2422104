/** An integer of up to 15 digits is exact in a double, and JCS writes it back digit by digit. */
const PLAIN_INTEGER = /^-?\d{1,15}$/;

/** Longer texts cannot denote a double's shortest form within reason; refusing them bounds the work. */
const MAX_NUMBER_CHARACTERS = 400;

/**
 * Whether a JSON number, as written, denotes exactly the number that the JCS serialization of its double-precision
 * value denotes (AAT-02 §3.4). `0.1`, `1e20` and `9007199254740994` do; `9007199254740993` and `1e400` do not.
 */
export function isAdmissibleNumber(text: string): boolean {
  if (PLAIN_INTEGER.test(text)) return true;
  if (text.length > MAX_NUMBER_CHARACTERS) return false;
  const value = Number(text);
  if (!Number.isFinite(value)) return false;
  return toScientific(text) === toScientific(String(value));
}

/** The number a decimal text denotes, as `sign digits e exponent` without leading or trailing zeros. */
function toScientific(text: string): string {
  const [mantissa = '', exponentText = '0'] = text.toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const exponent =
    BigInt(exponentText) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${negative ? '-' : ''}${significant}e${exponent}`;
}
