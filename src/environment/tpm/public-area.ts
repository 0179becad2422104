import { createHash } from 'node:crypto';
import { ALG } from './algorithms.ts';
import { ByteReader } from './byte-reader.ts';

/** TPMA_OBJECT (TPM 2.0 Library, Part 2 §8.3). */
export const ATTRIBUTE = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  encryptedDuplication: 1 << 11,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

const RESERVED_ATTRIBUTES = 0xfff0_f309;

interface PublicParts {
  /** TPMA_OBJECT. */
  readonly attributes: number;
  /** TPMT_SYM_DEF_OBJECT: algorithm, and bits and mode unless it is null. */
  readonly symmetric: { readonly alg: number; readonly bits: number; readonly mode: number };
  /** Signing scheme and its hash; both are `ALG.null` where the key names none. */
  readonly scheme: { readonly alg: number; readonly hash: number };
  /** The name of the object: its hash algorithm and the hash of its public area (Part 1 §16). */
  readonly name: Buffer;
}

export type PublicArea = PublicParts &
  (
    | { readonly kind: 'ecc'; readonly curve: number; readonly x: Buffer; readonly y: Buffer }
    | { readonly kind: 'rsa'; readonly bits: number; readonly exponent: number; readonly modulus: Buffer }
  );

const MAX_POLICY_BYTES = 64;
const MAX_COORDINATE_BYTES = 66;
const MAX_MODULUS_BYTES = 512;
const DEFAULT_EXPONENT = 65_537;

/**
 * Reads a TPMT_PUBLIC of an RSA or ECC key whose name is a SHA-256 (Part 2 §12.2.4): every field bounded, nothing left
 * over, no reserved attribute set. Undefined where it is anything else.
 */
export function parsePublicArea(bytes: Uint8Array): PublicArea | undefined {
  const reader = new ByteReader(bytes);
  const type = reader.u16();
  const nameAlg = reader.u16();
  const attributes = reader.u32();
  reader.sized(MAX_POLICY_BYTES);
  if (nameAlg !== ALG.sha256 || (attributes & RESERVED_ATTRIBUTES) !== 0) return undefined;
  const symmetricAlg = reader.u16();
  const symmetric =
    symmetricAlg === ALG.null
      ? { alg: symmetricAlg, bits: 0, mode: ALG.null }
      : { alg: symmetricAlg, bits: reader.u16(), mode: reader.u16() };
  const schemeAlg = reader.u16();
  const scheme = { alg: schemeAlg, hash: schemeAlg === ALG.null ? ALG.null : reader.u16() };
  const parts: PublicParts = { attributes, symmetric, scheme, name: nameOf(bytes) };
  if (type === ALG.ecc) {
    const curve = reader.u16();
    const kdf = reader.u16();
    const x = reader.sized(MAX_COORDINATE_BYTES);
    const y = reader.sized(MAX_COORDINATE_BYTES);
    return reader.isWhole && kdf === ALG.null ? { kind: 'ecc', ...parts, curve, x, y } : undefined;
  }
  if (type !== ALG.rsa) return undefined;
  const bits = reader.u16();
  const exponent = reader.u32() || DEFAULT_EXPONENT;
  const modulus = reader.sized(MAX_MODULUS_BYTES);
  if (!reader.isWhole || modulus.byteLength * 8 !== bits || (modulus[0] ?? 0) < 0x80) return undefined;
  return { kind: 'rsa', ...parts, bits, exponent, modulus };
}

export function hasAttributes({ attributes }: PublicArea, all: number, none: number): boolean {
  return (attributes & all) === all && (attributes & none) === 0;
}

/** The qualified name of a child: of what it is, and of what stands above it (Part 1 §26.5). */
export function qualifiedNameOf(parent: Uint8Array, name: Uint8Array): Buffer {
  return withAlgorithm(createHash('sha256').update(parent).update(name).digest());
}

function nameOf(publicArea: Uint8Array): Buffer {
  return withAlgorithm(createHash('sha256').update(publicArea).digest());
}

function withAlgorithm(digest: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0, ALG.sha256), digest]);
}
