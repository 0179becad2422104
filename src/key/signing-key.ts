import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Denial, deny, type ReasonCode } from '../denial/index.ts';
import { VerificationKey } from './verification-key.ts';

/** Whatever can sign: a key in memory here, an agent or a hardware key elsewhere. */
export interface Signer {
  readonly publicKey: VerificationKey;
  /** A 64-byte Ed25519 signature (RFC 8032 §5.1.6). */
  sign(data: Uint8Array): Uint8Array;
}

/** An Ed25519 private key in memory. It never appears in JSON, logs or errors. */
export class SigningKey implements Signer {
  readonly publicKey: VerificationKey;
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    const { x } = key.export({ format: 'jwk' });
    if (key.asymmetricKeyType !== 'ed25519' || x === undefined)
      throw new TypeError('not an Ed25519 private key');
    this.#key = key;
    this.publicKey = new VerificationKey(Buffer.from(x, 'base64url'));
  }

  static generate(): SigningKey {
    return new SigningKey(generateKeyPairSync('ed25519').privateKey);
  }

  /** A key from its 32-byte seed (RFC 8032 §5.1.5): for vectors and deterministic tests. */
  static fromSeed(seed: Uint8Array): SigningKey {
    if (seed.byteLength !== 32) throw new TypeError('an Ed25519 seed has 32 bytes');
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    return new SigningKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  }

  /** A key from PKCS#8 PEM text, encrypted or not. Denies with `code` where it is not one. */
  static fromPem(pem: string, code: ReasonCode, passphrase?: string): SigningKey | Denial {
    try {
      return new SigningKey(
        createPrivateKey({ key: pem, format: 'pem', ...(passphrase ? { passphrase } : {}) }),
      );
    } catch {
      return deny(
        code,
        passphrase ? 'not an Ed25519 key, or the passphrase is wrong' : 'not an Ed25519 PKCS#8 key',
      );
    }
  }

  sign(data: Uint8Array): Uint8Array {
    return sign(null, data, this.#key);
  }

  /** PKCS#8 PEM; encrypted with PBES2 (AES-256-CBC) when a passphrase is given. */
  toPem(passphrase?: string): string {
    return this.#key
      .export({ format: 'pem', type: 'pkcs8', ...(passphrase ? { cipher: 'aes-256-cbc', passphrase } : {}) })
      .toString();
  }
}
