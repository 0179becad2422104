import { createPublicKey, type KeyObject } from 'node:crypto';
import { ALG, CURVE_P256 } from './algorithms.ts';
import { ATTRIBUTE, hasAttributes, type PublicArea, parsePublicArea } from './public-area.ts';

/** A key that a TPM uses for nothing but what it says itself. */
export interface AttestationKey {
  readonly scheme: 'ecdsa' | 'rsassa' | 'rsapss';
  readonly key: KeyObject;
  /** Length of a signature; of ECDSA, of each half of it. */
  readonly signatureBytes: number;
  readonly name: Buffer;
}

const COORDINATE_BYTES = 32;
const RSA_BITS: readonly number[] = [2048, 3072, 4096];

const REQUIRED =
  ATTRIBUTE.fixedTpm |
  ATTRIBUTE.fixedParent |
  ATTRIBUTE.sensitiveDataOrigin |
  ATTRIBUTE.restricted |
  ATTRIBUTE.sign;
const REFUSED = ATTRIBUTE.decrypt | ATTRIBUTE.encryptedDuplication;

/**
 * Reads a TPMT_PUBLIC as an attestation key, or says what is wrong with it.
 *
 * INVARIANT: the key is restricted, so that the TPM signs no bytes of ours that look like a quote; and fixed to the TPM that
 * made it, so that nobody else has it.
 */
export function parseAttestationKey(publicArea: Uint8Array): AttestationKey | string {
  const area = parsePublicArea(publicArea);
  if (area === undefined) return 'the attestation key is not a public area of RSA or ECC';
  if (!hasAttributes(area, REQUIRED, REFUSED)) {
    return 'the attestation key is not a restricted signing key that was made in its TPM and is fixed to it';
  }
  if (area.symmetric.alg !== ALG.null) return 'the attestation key names a cipher';
  if (area.scheme.hash !== ALG.sha256) return 'the attestation key does not sign SHA-256';
  try {
    return (
      keyOf(area) ?? 'the attestation key is neither ECDSA on P-256 nor RSASSA or RSAPSS of 2048 bits or more'
    );
  } catch {
    return 'the attestation key is not a point of its curve';
  }
}

function keyOf(area: PublicArea): AttestationKey | undefined {
  const { name } = area;
  if (area.kind === 'ecc') {
    const { x, y } = area;
    if (area.curve !== CURVE_P256 || area.scheme.alg !== ALG.ecdsa) return undefined;
    if (x.byteLength !== COORDINATE_BYTES || y.byteLength !== COORDINATE_BYTES) return undefined;
    const jwk = { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    return { scheme: 'ecdsa', key, signatureBytes: COORDINATE_BYTES, name };
  }
  if (!RSA_BITS.includes(area.bits)) return undefined;
  const scheme = area.scheme.alg === ALG.rsassa ? 'rsassa' : 'rsapss';
  if (scheme === 'rsapss' && area.scheme.alg !== ALG.rsapss) return undefined;
  const key = rsaKeyOf(area);
  return key && { scheme, key, signatureBytes: area.modulus.byteLength, name };
}

/** Undefined where the exponent is not the one that TPMs have. */
export function rsaKeyOf({ modulus, exponent }: Extract<PublicArea, { kind: 'rsa' }>): KeyObject | undefined {
  if (exponent !== 65_537) return undefined;
  return createPublicKey({
    key: { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' },
    format: 'jwk',
  });
}
