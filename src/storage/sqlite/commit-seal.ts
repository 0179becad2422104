import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Signer } from '../../key/index.ts';
import { formatCheckpoint } from '../../tlog/checkpoint-text.ts';
import { hashesEqual } from '../../tlog/hash.ts';
import type { Head } from './batch-writer.ts';

const LABEL = 'writ/log-commit@v1';
const KEY_BYTES = 32;

/**
 * The key that seals a log's commits: HKDF-SHA256 of the signature over `writ/log-commit@v1\n<origin>`, which is never
 * stored or shown. No checkpoint, token or proof signs such a text.
 * @throws TypeError where the signer gives two signatures for one text: what it seals could not be told again.
 */
export function deriveCommitKey(signer: Signer, origin: string): Uint8Array {
  const text = Buffer.from(`${LABEL}\n${origin}`);
  const signature = signer.sign(text);
  if (!hashesEqual(signature, signer.sign(text))) {
    throw new TypeError('a log needs a signer that signs deterministically (RFC 8032)');
  }
  return new Uint8Array(hkdfSync('sha256', signature, new Uint8Array(), LABEL, KEY_BYTES));
}

/**
 * Marks heads as committed by this log's writer, with HMAC-SHA256 over the text of the checkpoint that would cover them.
 * It stands in for the signature until there is one: the root commits to every entry, so whoever lacks the key can
 * neither add an entry nor exchange one.
 */
export class CommitSeal {
  readonly #key: KeyObject;
  readonly #origin: string;

  constructor(key: Uint8Array, origin: string) {
    if (key.byteLength !== KEY_BYTES) throw new TypeError('a commit key has 32 bytes');
    this.#key = createSecretKey(key);
    this.#origin = origin;
  }

  seal({ size, rootHash }: Head): Uint8Array {
    const text = formatCheckpoint({ origin: this.#origin, size, rootHash });
    return createHmac('sha256', this.#key).update(text).digest();
  }

  isSealed(head: Head, seal: Uint8Array): boolean {
    const expected = this.seal(head);
    return seal.byteLength === expected.byteLength && timingSafeEqual(seal, expected);
  }
}
