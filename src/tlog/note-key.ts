import { sha256 } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { type Signer, VerificationKey } from '../key/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { cosignedMessage, readTimestamp, writeTimestamp } from './cosigned-message.ts';
import { encodeUtf8, isKeyName } from './note-text.ts';

/** Signature type bytes (signed-note, "Signature types") that Writ knows. */
export const ED25519 = 0x01;
export const COSIGNATURE_V1 = 0x04;
export type SignatureType = typeof ED25519 | typeof COSIGNATURE_V1;

/** A named key that may sign notes: what a vkey says. */
export interface NoteVerifier {
  readonly name: string;
  /** The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ key), as a big-endian integer. */
  readonly keyId: number;
  readonly type: SignatureType;
  readonly key: VerificationKey;
  /** `signature` is what follows the key id. The timestamp is in seconds and only on cosignatures. */
  verify(text: string, signature: Uint8Array): { readonly timestampSeconds?: number } | undefined;
}

export interface NoteSigner {
  readonly name: string;
  readonly keyId: number;
  /** What follows the key id on the signature line. */
  sign(text: string): Uint8Array;
}

const KEY_BYTES = 32;
const MAX_VKEY_CHARACTERS = 4096;

export function noteVerifier(
  name: string,
  key: VerificationKey,
  type: SignatureType = ED25519,
): NoteVerifier {
  const verify =
    type === ED25519
      ? (text: string, signature: Uint8Array) => (key.verify(encodeUtf8(text), signature) ? {} : undefined)
      : (text: string, signature: Uint8Array) => verifyCosignature(key, text, signature);
  return Object.freeze({ name, keyId: keyIdOf(name, key, type), type, key, verify });
}

/** Signs note text as it is (type 0x01): the log's own signature. */
export function noteSigner(name: string, signer: Signer): NoteSigner {
  const keyId = keyIdOf(name, signer.publicKey, ED25519);
  return Object.freeze({ name, keyId, sign: (text: string) => signer.sign(encodeUtf8(text)) });
}

/**
 * Signs checkpoints as `cosignature/v1` (type 0x04): that `nowSeconds()`, floored, is when this cosigner has seen no
 * larger consistent tree of that origin. The caller must have verified and persisted that before it signs
 * (tlog-witness).
 */
export function noteCosigner(name: string, signer: Signer, nowSeconds: () => number): NoteSigner {
  const keyId = keyIdOf(name, signer.publicKey, COSIGNATURE_V1);
  const sign = (text: string) => {
    const timestampSeconds = Math.floor(nowSeconds());
    const signature = signer.sign(cosignedMessage(timestampSeconds, text));
    const bytes = new Uint8Array(8 + signature.byteLength);
    bytes.set(writeTimestamp(timestampSeconds));
    bytes.set(signature, 8);
    return bytes;
  };
  return Object.freeze({ name, keyId, sign });
}

/** `<name>+<key id, 8 hex digits>+<base64(type ‖ key)>` (signed-note, "Verifier keys"). */
export function formatVkey(name: string, key: VerificationKey, type: SignatureType = ED25519): string {
  const id = keyIdOf(name, key, type).toString(16).padStart(8, '0');
  return `${name}+${id}+${encodeBase64(Uint8Array.of(type, ...key.bytes))}`;
}

/**
 * Parses a vkey of type 0x01 or 0x04. Denies unless the key id is the recommended one for the name and the key: an
 * operator who mistypes a vkey learns it here and not from signatures that are ignored.
 */
export function parseVkey(text: string): NoteVerifier | Denial {
  if (text.length > MAX_VKEY_CHARACTERS) return deny('log.unavailable', 'vkey is too long');
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  if (first < 0 || second < 0) return deny('log.unavailable', 'vkey does not have three parts');
  const name = text.slice(0, first);
  const id = text.slice(first + 1, second);
  if (!isKeyName(name)) return deny('log.unavailable', 'vkey name is not a key name');
  if (!/^[0-9a-f]{8}$/.test(id)) return deny('log.unavailable', 'vkey id is not eight hex digits');
  const bytes = decodeBase64(text.slice(second + 1));
  if (bytes === undefined) return deny('log.unavailable', 'vkey key is not base64');
  const [type] = bytes;
  if (type !== ED25519 && type !== COSIGNATURE_V1) {
    return deny('log.unavailable', 'vkey signature type is not supported');
  }
  if (bytes.byteLength !== 1 + KEY_BYTES) return deny('log.unavailable', 'vkey key is not 32 bytes');
  let key: VerificationKey;
  try {
    key = new VerificationKey(bytes.subarray(1));
  } catch {
    return deny('log.unavailable', 'vkey key is not a safe Ed25519 point');
  }
  const verifier = noteVerifier(name, key, type);
  if (verifier.keyId !== Number.parseInt(id, 16)) {
    return deny('log.unavailable', 'vkey id does not match its name and key');
  }
  return verifier;
}

function keyIdOf(name: string, key: VerificationKey, type: SignatureType): number {
  if (!isKeyName(name)) throw new TypeError('a key name is not empty and has no space, plus or control');
  const digest = sha256(encodeUtf8(name), Uint8Array.of(0x0a, type), key.bytes);
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}

function verifyCosignature(key: VerificationKey, text: string, signature: Uint8Array) {
  const timestampSeconds = readTimestamp(signature);
  if (timestampSeconds === undefined) return undefined;
  if (!key.verify(cosignedMessage(timestampSeconds, text), signature.subarray(8))) return undefined;
  return { timestampSeconds };
}
