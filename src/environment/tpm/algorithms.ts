/** Identifiers of the TCG algorithm registry, as far as they are accepted here. */
export const ALG = {
  rsa: 0x0001,
  aes: 0x0006,
  sha256: 0x000b,
  null: 0x0010,
  rsassa: 0x0014,
  rsapss: 0x0016,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
} as const;

export const CURVE_P256 = 0x0003;
