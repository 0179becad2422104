import { sha256 } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  hasMlDsa,
  type MlDsaSigningKey,
  MlDsaVerificationKey,
  type Signer,
  VerificationKey,
} from '../key/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { cosignedMessage, cosignedSubtree, readTimestamp, writeTimestamp } from './cosigned-message.ts';
import { encodeUtf8, isKeyName } from './note-text.ts';

/** Signature type bytes (signed-note, "Signature types") that Writ knows. */
export const ED25519 = 0x01;
export const COSIGNATURE_V1 = 0x04;
export const ML_DSA_44 = 0x06;
export type SignatureType = typeof ED25519 | typeof COSIGNATURE_V1 | typeof ML_DSA_44;

/** Ed25519 for the types 0x01 and 0x04, ML-DSA-44 for 0x06. */
export type NoteKey = VerificationKey | MlDsaVerificationKey;

/** A named key that may sign notes: what a vkey says. */
export interface NoteVerifier {
  readonly name: string;
  /** The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ key), as a big-endian integer. */
  readonly keyId: number;
  readonly type: SignatureType;
  readonly key: NoteKey;
  /** `signature` is what follows the key id. The timestamp is in seconds and only on cosignatures. */
  verify(text: string, signature: Uint8Array): { readonly timestampSeconds?: number } | undefined;
}

export interface NoteSigner {
  readonly name: string;
  readonly keyId: number;
  /** What follows the key id on the signature line. */
  sign(text: string): Uint8Array;
}

const MAX_VKEY_CHARACTERS = 4096;

/** @throws TypeError where a key of this kind makes no signatures of this type. */
export function noteVerifier(
  name: string,
  key: NoteKey,
  type: SignatureType = key instanceof VerificationKey ? ED25519 : ML_DSA_44,
): NoteVerifier {
  const keyId = keyIdOf(name, key, type);
  const verify =
    type === ED25519
      ? (text: string, signature: Uint8Array) => (key.verify(encodeUtf8(text), signature) ? {} : undefined)
      : (text: string, signature: Uint8Array) => verifyCosignature({ name, key, type }, text, signature);
  return Object.freeze({ name, keyId, type, key, verify });
}

/** Signs note text as it is (type 0x01): the log's own signature. */
export function noteSigner(name: string, signer: Signer): NoteSigner {
  const keyId = keyIdOf(name, signer.publicKey, ED25519);
  return Object.freeze({ name, keyId, sign: (text: string) => signer.sign(encodeUtf8(text)) });
}

/**
 * Cosigns checkpoints: that `nowSeconds()`, floored, is when this cosigner has seen no larger consistent tree of that
 * origin. As `cosignature/v1` (type 0x04), or with an ML-DSA-44 key as a subtree (type 0x06), which covers no extension
 * lines: `sign` throws TypeError on text that has some. The caller must have verified and persisted what it states before
 * it signs (tlog-witness).
 */
export function noteCosigner(
  name: string,
  signer: Signer | MlDsaSigningKey,
  nowSeconds: () => number,
): NoteSigner {
  const type = signer.publicKey instanceof VerificationKey ? COSIGNATURE_V1 : ML_DSA_44;
  const keyId = keyIdOf(name, signer.publicKey, type);
  const sign = (text: string) => {
    const timestampSeconds = Math.floor(nowSeconds());
    const message = messageOf({ name, type }, timestampSeconds, text);
    if (message === undefined) throw new TypeError('this is no checkpoint that the key can cosign');
    const signature = signer.sign(message);
    const bytes = new Uint8Array(8 + signature.byteLength);
    bytes.set(writeTimestamp(timestampSeconds));
    bytes.set(signature, 8);
    return bytes;
  };
  return Object.freeze({ name, keyId, sign });
}

/** `<name>+<key id, 8 hex digits>+<base64(type ‖ key)>` (signed-note, "Verifier keys"). */
export function formatVkey(name: string, key: NoteKey, as?: SignatureType): string {
  const { keyId, type } = noteVerifier(name, key, as);
  const id = keyId.toString(16).padStart(8, '0');
  return `${name}+${id}+${encodeBase64(Uint8Array.of(type, ...key.bytes))}`;
}

/**
 * Parses a vkey of type 0x01, 0x04 or, where the running Node has ML-DSA, 0x06. Denies unless the key id is the recommended one for the name and the key: an
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
  if (type !== ED25519 && type !== COSIGNATURE_V1 && type !== ML_DSA_44) {
    return deny('log.unavailable', 'vkey signature type is not supported');
  }
  const key = keyOf(type, bytes.subarray(1));
  if (isDenial(key)) return key;
  const verifier = noteVerifier(name, key, type);
  if (verifier.keyId !== Number.parseInt(id, 16)) {
    return deny('log.unavailable', 'vkey id does not match its name and key');
  }
  return verifier;
}

function keyOf(type: SignatureType, bytes: Uint8Array): NoteKey | Denial {
  try {
    return type === ML_DSA_44 ? new MlDsaVerificationKey(bytes) : new VerificationKey(bytes);
  } catch {
    if (type !== ML_DSA_44) return deny('log.unavailable', 'vkey key is not a safe Ed25519 point');
    return deny(
      'log.unavailable',
      hasMlDsa() ? 'vkey key is not an ML-DSA-44 key' : 'vkey needs ML-DSA-44, which this Node does not have',
    );
  }
}

function keyIdOf(name: string, key: NoteKey, type: SignatureType): number {
  if (!isKeyName(name)) throw new TypeError('a key name is not empty and has no space, plus or control');
  if (key instanceof MlDsaVerificationKey !== (type === ML_DSA_44)) {
    throw new TypeError('the key is of another kind than the signature type');
  }
  const digest = sha256(encodeUtf8(name), Uint8Array.of(0x0a, type), key.bytes);
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}

function messageOf(
  { name, type }: { readonly name: string; readonly type: SignatureType },
  timestampSeconds: number,
  text: string,
): Uint8Array | undefined {
  return type === ML_DSA_44
    ? cosignedSubtree(name, timestampSeconds, text)
    : cosignedMessage(timestampSeconds, text);
}

function verifyCosignature(
  cosigner: { readonly name: string; readonly key: NoteKey; readonly type: SignatureType },
  text: string,
  signature: Uint8Array,
) {
  const timestampSeconds = readTimestamp(signature);
  if (timestampSeconds === undefined) return undefined;
  const message = messageOf(cosigner, timestampSeconds, text);
  if (message === undefined || !cosigner.key.verify(message, signature.subarray(8))) return undefined;
  return { timestampSeconds };
}
