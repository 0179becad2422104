/**
 * Exact sums for use counters and budgets. Amounts arrive as JSON numbers; each is taken as the decimal its shortest
 * text says (0.1 is one tenth), so that 0.1 + 0.2 is 0.3 and a total never drifts past its limit.
 */
export interface Decimal {
  readonly digits: bigint;
  /** value = digits / 10^scale. */
  readonly scale: number;
}

export const ZERO: Decimal = { digits: 0n, scale: 0 };

/** A finite, non-negative number as a decimal. */
export function decimalOf(value: number): Decimal {
  if (!Number.isFinite(value) || value < 0) throw new TypeError('an amount is a finite, non-negative number');
  const [mantissa = '0', exponent = '0'] = String(value).split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { digits: widen(a, scale) + widen(b, scale), scale };
}

export function exceeds(a: Decimal, limit: Decimal): boolean {
  const scale = Math.max(a.scale, limit.scale);
  return widen(a, scale) > widen(limit, scale);
}

function widen(value: Decimal, scale: number): bigint {
  return value.digits * 10n ** BigInt(scale - value.scale);
}

/** The stored form: `<digits>` or `<digits>e-<scale>`, without trailing zeros. */
export function formatDecimal({ digits, scale }: Decimal): string {
  let [reduced, places] = [digits, scale];
  while (places > 0 && reduced % 10n === 0n) [reduced, places] = [reduced / 10n, places - 1];
  return places === 0 ? `${reduced}` : `${reduced}e-${places}`;
}

/** Undefined where the text is not what `formatDecimal` writes. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = /^(\d{1,1000})(?:e-(\d{1,3}))?$/.exec(text);
  if (match === null) return undefined;
  return { digits: BigInt(match[1] ?? '0'), scale: Number(match[2] ?? '0') };
}
