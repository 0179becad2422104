const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;

/**
 * An ASCII decimal without leading zeros (tlog-checkpoint, tlog-proof), or undefined. INVARIANT: refuses what a double
 * cannot hold, so trees end at 2^53 − 1 entries.
 */
export function parseDecimal(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
