import { constants, createCipheriv, createHmac, publicEncrypt, randomBytes } from 'node:crypto';
import type { EndorsementKey } from './endorsement-key.ts';

const SEED_BYTES = 32;
const MAX_SECRET_BYTES = 32;

/** What only the TPM of an endorsement key can open, and only while it holds a key of that name. */
export interface Credential {
  /** TPM2B_ID_OBJECT. */
  readonly idObject: Buffer;
  /** TPM2B_ENCRYPTED_SECRET. */
  readonly encryptedSecret: Buffer;
}

/** TPM2_MakeCredential (TPM 2.0 Library, Part 1 §24), without a TPM. `seed` is for tests. */
export function makeCredential(
  endorsement: EndorsementKey,
  name: Uint8Array,
  secret: Uint8Array,
  seed: Uint8Array = randomBytes(SEED_BYTES),
): Credential {
  if (secret.byteLength === 0 || secret.byteLength > MAX_SECRET_BYTES) {
    throw new TypeError('a credential is 1 to 32 bytes');
  }
  const encryptedSeed = publicEncrypt(
    {
      key: endorsement.key,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: 'sha256',
      oaepLabel: Buffer.from('IDENTITY\0'),
    },
    seed,
  );
  const cipher = createCipheriv('aes-128-cfb', kdfa(seed, 'STORAGE', name, 128), Buffer.alloc(16));
  const encrypted = Buffer.concat([cipher.update(sized(secret)), cipher.final()]);
  const integrity = createHmac('sha256', kdfa(seed, 'INTEGRITY', Buffer.alloc(0), 256))
    .update(encrypted)
    .update(name)
    .digest();
  return {
    idObject: sized(Buffer.concat([sized(integrity), encrypted])),
    encryptedSecret: sized(encryptedSeed),
  };
}

/** KDFa (Part 1 §11.4.10.2) with SHA-256, of at most one block. */
function kdfa(key: Uint8Array, label: string, context: Uint8Array, bits: 128 | 256): Buffer {
  return createHmac('sha256', key)
    .update(u32(1))
    .update(`${label}\0`)
    .update(context)
    .update(u32(bits))
    .digest()
    .subarray(0, bits / 8);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A TPM2B. */
function sized(bytes: Uint8Array): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.byteLength);
  return Buffer.concat([size, bytes]);
}
