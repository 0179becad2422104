import { createHmac } from 'node:crypto';
import type { SaltedDigest } from './decision-receipt.ts';

/**
 * Where a blob lives in the evidence store: HMAC-SHA256 of its content under the domain's evidence key, base64url. A
 * plain digest would let a reader of the log test guesses of what the sealed content is.
 */
export function evidenceAddress(evidenceKey: Uint8Array, bytes: Uint8Array): string {
  return createHmac('sha256', evidenceKey).update('writ/evidence@v1\n').update(bytes).digest('base64url');
}

/** The salt of one execution's digests. Derived, so that whoever holds the evidence key can open any receipt. */
export function executionSalt(evidenceKey: Uint8Array, executionId: string): Uint8Array {
  return createHmac('sha256', evidenceKey).update(`writ/salt@v1\n${executionId}`).digest();
}

/** Digest of an execution's arguments (their JCS text) or result, salted so that guesses cannot be tested. */
export function saltedDigest(salt: Uint8Array, content: string | Uint8Array): SaltedDigest {
  return `hmac-sha256:${createHmac('sha256', salt).update(content).digest('hex')}`;
}
