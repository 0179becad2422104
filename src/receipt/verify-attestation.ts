import { parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { VerificationKey } from '../key/index.ts';
import { ED25519, type NoteVerifier } from '../tlog/index.ts';
import { EVIDENCE_KINDS, parseDecisionReceipt } from './decision-receipt.ts';
import { openEnvelope } from './dsse.ts';
import { Findings } from './findings.ts';
import { KnownLogs } from './known-logs.ts';
import { SIGSTORE_BUNDLE } from './sigstore.ts';
import { type ProvenReceipts, parseStatement } from './statement.ts';
import type { BundleReport } from './verify-bundle.ts';
import { proveExecution } from './verify-receipts.ts';

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
  const findings = new Findings();
  const receipts = openAttestation(bytes, logKey);
  if (isDenial(receipts)) {
    return {
      verified: false,
      problems: [`attestation: ${receipts.detail}`],
      withheld: [],
      executions: [],
    };
  }
  for (const part of [...EVIDENCE_KINDS, 'governance', NOT_CHECKED]) findings.withhold(part);
  const proven = proveExecution(withKnownOutcome(receipts, findings), new KnownLogs([logKey]), findings);
  if (proven !== undefined && 'unknownLog' in proven) {
    findings.problem('log key', `the receipts are of another log, ${proven.unknownLog}`);
  }
  const { decision, outcome } = proven !== undefined && 'decision' in proven ? proven : {};
  const { problems, withheld } = findings;
  const execution = {
    subject: true,
    problems,
    withheld,
    ...(decision && { execution: decision.receipt.id, decision: decision.receipt }),
    ...(outcome && { outcome: outcome.receipt }),
  };
  const about = decision && { execution: decision.receipt.id };
  return {
    verified: problems.length === 0,
    problems,
    withheld,
    ...(about && { about }),
    executions: [execution],
  };
}

/** A Statement about a permit may have been made before there was an outcome, or have left it out: nobody can tell. */
function withKnownOutcome(receipts: ProvenReceipts, findings: Findings): ProvenReceipts {
  if (receipts.outcome !== undefined) return receipts;
  const decision = parseDecisionReceipt(Buffer.from(receipts.decision.entry, 'base64'));
  if (isDenial(decision) || decision.verdict === 'deny') return receipts;
  findings.withhold('outcome');
  return { ...receipts, outcome: null };
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
  const { type, key } = logKey;
  if (type !== ED25519 || !(key instanceof VerificationKey)) {
    return deny('log.unavailable', 'the log key is a witness key');
  }
  const payload = openEnvelope(json.dsseEnvelope, key);
  return isDenial(payload) ? payload : parseStatement(payload);
}
