import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { isoCBOR } from '@simplewebauthn/server/helpers';

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest();
const b64 = (data: string | Uint8Array) => Buffer.from(data).toString('base64url');

const KEYS = {
  'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  Ed25519: () => generateKeyPairSync('ed25519').privateKey,
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
};

/** What an authenticator and the browser in front of it do, by the letter of WebAuthn Level 3. */
export class SoftwareAuthenticator {
  readonly #key: KeyObject;
  readonly #credentialId = randomBytes(16);
  readonly #origin: string;

  constructor(origin: string, kind: keyof typeof KEYS = 'P-256') {
    this.#origin = origin;
    this.#key = KEYS[kind]();
  }

  get id(): string {
    return b64(this.#credentialId);
  }

  register(options: PublicKeyCredentialCreationOptionsJSON): RegistrationResponseJSON {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.#credentialId.byteLength);
    const attested = Buffer.concat([Buffer.alloc(16), length, this.#credentialId, this.#cose()]);
    const authData = Buffer.concat([this.#authData(options.rp.id ?? '', 0x45), attested]);
    const attestation = isoCBOR.encode(
      new Map<string, string | Map<string, string> | Uint8Array>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', Uint8Array.from(authData)],
      ]),
    );
    return {
      id: this.id,
      rawId: this.id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: b64(this.#clientData('webauthn.create', options.challenge)),
        attestationObject: b64(attestation),
      },
    };
  }

  assert(
    options: PublicKeyCredentialRequestOptionsJSON,
    change: {
      readonly origin?: string;
      readonly rpId?: string;
      readonly flags?: number;
      readonly type?: string;
    } = {},
  ): AuthenticationResponseJSON {
    const clientData = this.#clientData(change.type ?? 'webauthn.get', options.challenge, change.origin);
    const authData = this.#authData(change.rpId ?? options.rpId ?? '', change.flags ?? 0x05);
    const payload = Buffer.concat([authData, sha256(clientData)]);
    const algorithm = this.#key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return {
      id: this.id,
      rawId: this.id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: b64(clientData),
        authenticatorData: b64(authData),
        signature: b64(sign(algorithm, payload, this.#key)),
      },
    };
  }

  #clientData(type: string, challenge: string, origin = this.#origin): string {
    return JSON.stringify({ type, challenge, origin, crossOrigin: false });
  }

  #authData(rpId: string, flags: number): Buffer {
    return Buffer.concat([sha256(rpId), Buffer.from([flags, 0, 0, 0, 0])]);
  }

  #cose(): Uint8Array {
    const jwk = this.#key.export({ format: 'jwk' });
    const bytes = (text = '') => Uint8Array.from(Buffer.from(text, 'base64url'));
    const members: [number, number | Uint8Array][] =
      jwk.kty === 'EC'
        ? [
            [1, 2],
            [3, -7],
            [-1, 1],
            [-2, bytes(jwk.x)],
            [-3, bytes(jwk.y)],
          ]
        : jwk.kty === 'OKP'
          ? [
              [1, 1],
              [3, -8],
              [-1, 6],
              [-2, bytes(jwk.x)],
            ]
          : [
              [1, 3],
              [3, -257],
              [-1, bytes(jwk.n)],
              [-2, bytes(jwk.e)],
            ];
    return isoCBOR.encode(new Map(members));
  }
}
