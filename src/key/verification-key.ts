import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import {
  decodeBase64url,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  sha256Base64url,
} from '../codec/index.ts';
import { type Denial, deny, isDenial, type ReasonCode } from '../denial/index.ts';
import { isUnsafePoint } from './unsafe-point.ts';

/** An Ed25519 public key as a JWK (RFC 8037 §2). */
export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** The 32-byte point, base64url. */
  readonly x: string;
}

/** Private and symmetric JWK parameters (RFC 7518 §6, RFC 8037 §2): their presence leaks a key. */
const PRIVATE_PARAMETERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

const SIGNATURE_BYTES = 64;

/** A public key, parsed once. Instances with one `x` are one object for as long as it is cached. */
export class VerificationKey {
  readonly jwk: PublicJwk;
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly thumbprint: string;
  /** The 32 bytes of the point (RFC 8032 §5.1.2). */
  readonly bytes: Uint8Array;
  readonly #key: KeyObject;

  constructor(bytes: Uint8Array) {
    if (bytes.byteLength !== 32 || isUnsafePoint(bytes)) throw new TypeError('not a safe Ed25519 public key');
    this.bytes = Uint8Array.from(bytes);
    const x = encodeBase64url(this.bytes);
    this.jwk = Object.freeze({ kty: 'OKP', crv: 'Ed25519', x });
    this.thumbprint = sha256Base64url(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`);
    this.#key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    Object.freeze(this);
  }

  /** The JWK Thumbprint URI (RFC 9278), the `iss` of tokens this key signs. */
  get thumbprintUri(): string {
    return `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${this.thumbprint}`;
  }

  /** SubjectPublicKeyInfo in DER (RFC 8410 §4). */
  toDer(): Uint8Array {
    return this.#key.export({ type: 'spki', format: 'der' });
  }

  /** The same as PEM text. */
  toPem(): string {
    return this.#key.export({ type: 'spki', format: 'pem' }).toString();
  }

  /** Ed25519 verification (RFC 8032 §5.1.7). Never throws on hostile input. */
  verify(data: Uint8Array, signature: Uint8Array): boolean {
    if (signature.byteLength !== SIGNATURE_BYTES) return false;
    try {
      return verify(null, data, this.#key, signature);
    } catch {
      return false;
    }
  }
}

/** Parsing costs several times a verification, and the same few keys come back on every call. */
const MAX_CACHED_KEYS = 4096;
const cache = new Map<string, VerificationKey>();

/**
 * Parses an Ed25519 public JWK from an untrusted source. Refuses private parameters, other key types, non-canonical
 * base64url, non-canonical points and points of small order.
 */
export function parsePublicJwk(value: unknown, code: ReasonCode): VerificationKey | Denial {
  if (!isJsonObject(value)) return deny(code, 'jwk is not an object');
  const problem = findJwkProblem(value);
  if (problem !== undefined) return deny(code, problem);
  const { x } = value;
  if (typeof x !== 'string') return deny(code, 'jwk.x is not a string');
  const cached = cache.get(x);
  if (cached !== undefined) return cached;
  const bytes = decodeBase64url(x, code);
  if (isDenial(bytes)) return bytes;
  if (bytes.byteLength !== 32) return deny(code, 'jwk.x is not 32 bytes');
  if (isUnsafePoint(bytes)) return deny(code, 'jwk.x is a small-order or non-canonical point');
  let key: VerificationKey;
  try {
    key = new VerificationKey(bytes);
  } catch {
    return deny(code, 'jwk.x is not an Ed25519 public key');
  }
  if (cache.size >= MAX_CACHED_KEYS) cache.clear();
  cache.set(x, key);
  return key;
}

function findJwkProblem(jwk: JsonObject): string | undefined {
  for (const name of PRIVATE_PARAMETERS) {
    if (Object.hasOwn(jwk, name)) return `jwk carries the private parameter ${name}`;
  }
  if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519') return 'jwk is not an Ed25519 key';
  if (jwk.alg !== undefined && jwk.alg !== 'Ed25519' && jwk.alg !== 'EdDSA') {
    return 'jwk.alg is not an Ed25519 algorithm';
  }
  if (jwk.use !== undefined && jwk.use !== 'sig') return 'jwk.use is not sig';
  return undefined;
}
