import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { encodeBase64url, sha256Base64url } from '../codec/index.ts';
import { type Denial, deny, type ReasonCode } from '../denial/index.ts';

const TYPE = 'ml-dsa-44';
/** FIPS 204, table 2. */
const PUBLIC_KEY_BYTES = 1312;
const SIGNATURE_BYTES = 2420;
/** SubjectPublicKeyInfo of id-ml-dsa-44 up to the key itself (RFC 9881). */
const SPKI_PREFIX = Buffer.from('30820532300b06096086480165030403110382052100', 'hex');

let supported: boolean | undefined;

/** Whether the running Node has ML-DSA (OpenSSL 3.5 and later). */
export function hasMlDsa(): boolean {
  try {
    supported ??= generateKeyPairSync(TYPE).publicKey.asymmetricKeyType === TYPE;
  } catch {
    supported = false;
  }
  return supported;
}

/** An ML-DSA-44 public key (FIPS 204): cosignatures that stand when Ed25519 no longer does. */
export class MlDsaVerificationKey {
  /** The 1312 bytes of the encoded key. */
  readonly bytes: Uint8Array;
  /** RFC 7638 SHA-256 thumbprint over the AKP members (RFC 9964), base64url. */
  readonly thumbprint: string;
  readonly #key: KeyObject;

  /** @throws where it is no such key, or the running Node has no ML-DSA. */
  constructor(bytes: Uint8Array) {
    if (bytes.byteLength !== PUBLIC_KEY_BYTES) throw new TypeError('an ML-DSA-44 public key has 1312 bytes');
    this.bytes = Uint8Array.from(bytes);
    const pub = encodeBase64url(this.bytes);
    this.thumbprint = sha256Base64url(`{"alg":"ML-DSA-44","kty":"AKP","pub":"${pub}"}`);
    const key = Buffer.concat([SPKI_PREFIX, this.bytes]);
    this.#key = createPublicKey({ key, format: 'der', type: 'spki' });
    Object.freeze(this);
  }

  /** ML-DSA.Verify with an empty context (FIPS 204 §5.3). Never throws on hostile input. */
  verify(data: Uint8Array, signature: Uint8Array): boolean {
    if (signature.byteLength !== SIGNATURE_BYTES) return false;
    try {
      return verify(null, data, this.#key, signature);
    } catch {
      return false;
    }
  }
}

/** An ML-DSA-44 private key in memory. It never appears in JSON, logs or errors. */
export class MlDsaSigningKey {
  readonly publicKey: MlDsaVerificationKey;
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    if (key.asymmetricKeyType !== TYPE) throw new TypeError('not an ML-DSA-44 private key');
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    this.#key = key;
    this.publicKey = new MlDsaVerificationKey(spki.subarray(SPKI_PREFIX.byteLength));
  }

  /** @throws where the running Node has no ML-DSA. */
  static generate(): MlDsaSigningKey {
    return new MlDsaSigningKey(generateKeyPairSync(TYPE).privateKey);
  }

  /** A key from PKCS#8 PEM text. Denies with `code` where it is not one, or the running Node has no ML-DSA. */
  static fromPem(pem: string, code: ReasonCode): MlDsaSigningKey | Denial {
    try {
      return new MlDsaSigningKey(createPrivateKey({ key: pem, format: 'pem' }));
    } catch {
      return deny(code, hasMlDsa() ? 'not an ML-DSA-44 PKCS#8 key' : 'this Node has no ML-DSA-44');
    }
  }

  /** Hedged (FIPS 204 §3.4): two signatures over the same data differ. */
  sign(data: Uint8Array): Uint8Array {
    return sign(null, data, this.#key);
  }

  /** PKCS#8 PEM. */
  toPem(): string {
    return this.#key.export({ format: 'pem', type: 'pkcs8' }).toString();
  }
}
