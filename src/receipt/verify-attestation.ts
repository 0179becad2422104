import { parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { ED25519, type NoteVerifier } from '../tlog/index.ts';
import { BUNDLE } from './bundle.ts';
import { openEnvelope } from './dsse.ts';
import { SIGSTORE_BUNDLE } from './sigstore.ts';
import { parseStatement } from './statement.ts';
import { type BundleReport, verifyBundle } from './verify-bundle.ts';

const ATTESTATION_LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 32 };
/** What it takes a TrustedRoot to check, which any Sigstore verifier does. */
const NOT_CHECKED = 'transparency log entry';

/**
 * Verifies what Sigstore tools do not look into: that the execution log itself signed the Statement, and that the
 * receipts in it are in that log and belong together. What a bundle of ours holds besides is not there to be checked.
 *
 * @param bytes a Sigstore bundle as `formatSigstoreBundle` makes it, from an untrusted source.
 */
export function verifyAttestation(bytes: string | Uint8Array, logKey: NoteVerifier): BundleReport {
  const receipts = openAttestation(bytes, logKey);
  if (isDenial(receipts)) {
    return { verified: false, problems: [`attestation: ${receipts.detail}`], withheld: [] };
  }
  const report = verifyBundle(JSON.stringify({ type: BUNDLE, ...receipts, evidence: {} }), logKey);
  return { ...report, withheld: [...report.withheld, NOT_CHECKED] };
}

/** Whether a document from an untrusted source says that it is a Sigstore bundle. */
export function isSigstoreBundle(bytes: Uint8Array): boolean {
  // Evidence bundles are many times larger: they are not parsed for this, unless they happen to speak of it.
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(SIGSTORE_BUNDLE)) return false;
  const json = parseJsonObject(bytes, 'request.malformed', ATTESTATION_LIMITS);
  return !isDenial(json) && json.mediaType === SIGSTORE_BUNDLE;
}

function openAttestation(
  bytes: string | Uint8Array,
  logKey: NoteVerifier,
): ReturnType<typeof parseStatement> | Denial {
  const json = parseJsonObject(bytes, 'request.malformed', ATTESTATION_LIMITS);
  if (isDenial(json)) return json;
  if (json.mediaType !== SIGSTORE_BUNDLE)
    return deny('request.malformed', `not a ${SIGSTORE_BUNDLE} document`);
  if (logKey.type !== ED25519) return deny('log.unavailable', 'the log key is a witness key');
  const payload = openEnvelope(json.dsseEnvelope, logKey.key);
  return isDenial(payload) ? payload : parseStatement(payload);
}
