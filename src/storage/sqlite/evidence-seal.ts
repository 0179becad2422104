import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const WRAPPED_BYTES = SALT_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/** Random nonces allow 2^32 wraps under one key (SP 800-38D §8.3); a new salt gives a new one well before that. */
const WRAPS_PER_SALT = 2 ** 30;

/** One call for many blobs: asking for random bytes costs as much as sealing a blob. */
const POOL_BLOBS = 64;

/** Each blob key seals one blob, so its nonce may be constant. */
const BLOB_NONCE = new Uint8Array(NONCE_BYTES);

export interface SealedBlob {
  /** salt ‖ nonce ‖ AES-256-GCM(blob key) ‖ tag, under HKDF-SHA256(evidence key, salt), with the address as AAD. */
  readonly wrappedKey: Uint8Array;
  /** AES-256-GCM(bytes) ‖ tag under the blob key. */
  readonly sealed: Uint8Array;
}

/** Seals evidence under the domain's evidence key (DESIGN §6, evidence store). */
export class EvidenceSeal {
  readonly #evidenceKey: Uint8Array;
  #salt = new Uint8Array();
  #wrapKey: KeyObject | undefined;
  #wrapsLeft = 0;
  #pool = Buffer.alloc(0);

  constructor(evidenceKey: Uint8Array) {
    if (evidenceKey.byteLength !== KEY_BYTES) throw new TypeError('an evidence key has 32 bytes');
    this.#evidenceKey = evidenceKey;
  }

  seal(address: string, bytes: Uint8Array): SealedBlob {
    if (this.#wrapKey === undefined || this.#wrapsLeft === 0) {
      this.#salt = Uint8Array.from(randomBytes(SALT_BYTES));
      this.#wrapKey = deriveWrapKey(this.#evidenceKey, this.#salt);
      this.#wrapsLeft = WRAPS_PER_SALT;
    }
    this.#wrapsLeft -= 1;
    const fresh = this.#freshBytes(KEY_BYTES + NONCE_BYTES);
    const blobKey = fresh.subarray(0, KEY_BYTES);
    // KeyObjects: a cipher set up from bytes costs three times as much.
    const nonce = fresh.subarray(KEY_BYTES);
    const sealed = encrypt(createSecretKey(blobKey), BLOB_NONCE, bytes);
    const wrapped = encrypt(this.#wrapKey, nonce, blobKey, address);
    const wrappedKey = Buffer.concat([this.#salt, nonce, wrapped]);
    // Whoever reads this memory later must not find the keys of blobs that were erased.
    fresh.fill(0);
    return { wrappedKey, sealed };
  }

  /** Random bytes that are handed out once. */
  #freshBytes(count: number): Buffer {
    if (this.#pool.byteLength < count) this.#pool = randomBytes(count * POOL_BLOBS);
    const bytes = this.#pool.subarray(0, count);
    this.#pool = this.#pool.subarray(count);
    return bytes;
  }
}

/** The blob's bytes, or undefined when key, address and blob do not belong together. */
export function unsealEvidence(
  evidenceKey: Uint8Array,
  address: string,
  { wrappedKey, sealed }: SealedBlob,
): Uint8Array | undefined {
  if (wrappedKey.byteLength !== WRAPPED_BYTES || sealed.byteLength < TAG_BYTES) return undefined;
  const wrapKey = knownWrapKey(evidenceKey, wrappedKey.subarray(0, SALT_BYTES));
  const nonce = wrappedKey.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const blobKey = decrypt(wrapKey, nonce, wrappedKey.subarray(SALT_BYTES + NONCE_BYTES), address);
  return blobKey === undefined ? undefined : decrypt(createSecretKey(blobKey), BLOB_NONCE, sealed);
}

/** A log has a salt for each time it was opened; deriving costs more than unsealing does. */
const MAX_KNOWN_SALTS = 64;
const known = new WeakMap<Uint8Array, Map<string, KeyObject>>();

function knownWrapKey(evidenceKey: Uint8Array, salt: Uint8Array): KeyObject {
  const keys = known.get(evidenceKey) ?? new Map<string, KeyObject>();
  const name = Buffer.from(salt).toString('hex');
  let key = keys.get(name);
  if (key === undefined) {
    key = deriveWrapKey(evidenceKey, salt);
    if (keys.size >= MAX_KNOWN_SALTS) keys.clear();
    keys.set(name, key);
    known.set(evidenceKey, keys);
  }
  return key;
}

function deriveWrapKey(evidenceKey: Uint8Array, salt: Uint8Array): KeyObject {
  return createSecretKey(
    new Uint8Array(hkdfSync('sha256', evidenceKey, salt, 'writ/evidence@v1', KEY_BYTES)),
  );
}

function encrypt(key: KeyObject, nonce: Uint8Array, bytes: Uint8Array, address?: string): Uint8Array {
  const cipher = createCipheriv(ALGORITHM, key, nonce);
  if (address !== undefined) cipher.setAAD(Buffer.from(address));
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(
  key: KeyObject,
  nonce: Uint8Array,
  bytes: Uint8Array,
  address?: string,
): Uint8Array | undefined {
  try {
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    if (address !== undefined) decipher.setAAD(Buffer.from(address));
    decipher.setAuthTag(bytes.subarray(bytes.byteLength - TAG_BYTES));
    return Buffer.concat([
      decipher.update(bytes.subarray(0, bytes.byteLength - TAG_BYTES)),
      decipher.final(),
    ]);
  } catch {
    return undefined;
  }
}
