/** y coordinates (little-endian hex, sign bit cleared) of the eight points whose order divides the cofactor. */
const SMALL_ORDER_Y = new Set([
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
]);

/** The field prime 2^255 - 19. */
const P = 2n ** 255n - 19n;

/**
 * Whether 32 bytes are an Ed25519 point that must not be used as a key: of small order, so that a signature over any
 * message can be made for it without a private key, or encoded with y ≥ p, a second spelling of another key.
 */
export function isUnsafePoint(bytes: Uint8Array): boolean {
  const y = Uint8Array.from(bytes);
  y[31] = (y[31] ?? 0) & 0x7f;
  if (SMALL_ORDER_Y.has(Buffer.from(y).toString('hex'))) return true;
  return BigInt(`0x${Buffer.from(y).reverse().toString('hex')}`) >= P;
}
