import { constants, verify } from 'node:crypto';
import { ALG } from './algorithms.ts';
import type { AttestationKey } from './attestation-key.ts';
import { ByteReader } from './byte-reader.ts';

const SCHEME_ALG = { ecdsa: ALG.ecdsa, rsassa: ALG.rsassa, rsapss: ALG.rsapss } as const;

/** Whether a TPMT_SIGNATURE (TPM 2.0 Library, Part 2 §11.3.4) is this key's over these bytes, in the key's own scheme. */
export function isSignedBy(
  attestationKey: AttestationKey,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { scheme, key, signatureBytes } = attestationKey;
  const reader = new ByteReader(signature);
  if (reader.u16() !== SCHEME_ALG[scheme] || reader.u16() !== ALG.sha256) return false;
  const first = reader.sized(signatureBytes);
  const second = scheme === 'ecdsa' ? reader.sized(signatureBytes) : undefined;
  if (!reader.isWhole) return false;
  if (second !== undefined) {
    const raw = Buffer.concat([padded(first, signatureBytes), padded(second, signatureBytes)]);
    return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, raw);
  }
  if (first.byteLength !== signatureBytes) return false;
  const padding = scheme === 'rsassa' ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_PSS_PADDING;
  // The TPM salts with as much as fits, or with as much as a digest has: either is its own word.
  const saltLength = constants.RSA_PSS_SALTLEN_AUTO;
  return verify('sha256', signed, { key, padding, ...(scheme === 'rsapss' && { saltLength }) }, first);
}

function padded(number: Buffer, bytes: number): Buffer {
  return Buffer.concat([Buffer.alloc(bytes - number.byteLength), number]);
}
