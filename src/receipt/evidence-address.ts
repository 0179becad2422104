import { createHmac, hash, type KeyObject } from 'node:crypto';
import type { SaltedDigest } from './decision-receipt.ts';

/** The domain's evidence key. Held as a `KeyObject` on hot paths: raw bytes cost several times the HMAC itself. */
export type EvidenceKey = Uint8Array | KeyObject;

/**
 * Where a blob lives in the evidence store: HMAC-SHA256 of its content under the domain's evidence key, base64url. A
 * plain digest would let a reader of the log test guesses of what the sealed content is.
 */
export function evidenceAddress(evidenceKey: EvidenceKey, bytes: Uint8Array): string {
  return createHmac('sha256', evidenceKey).update('writ/evidence@v1\n').update(bytes).digest('base64url');
}

/** The 32-byte salt of one execution's digests. Derived, so that whoever holds the evidence key can open any receipt. */
export function executionSalt(evidenceKey: EvidenceKey, executionId: string): Uint8Array {
  return createHmac('sha256', evidenceKey).update(`writ/salt@v1\n${executionId}`).digest();
}

/**
 * The 32-byte salt of an action's digest, which approvals bind (spec/receipt.md §4). Derived from the action itself, so that an
 * action that is asked for again has the same digest, and giving the salt away opens that one and no other.
 */
export function actionSalt(evidenceKey: EvidenceKey, canonicalAction: string): Uint8Array {
  return createHmac('sha256', evidenceKey).update(`writ/action-salt@v1\n${canonicalAction}`).digest();
}

/** Digest of an execution's arguments (their JCS text) or result, salted so that guesses cannot be tested. */
export function saltedDigest(salt: Uint8Array, content: string | Uint8Array): SaltedDigest {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  return `salted-sha256:${hash('sha256', Buffer.concat([salt, bytes]), 'hex')}`;
}
