import { type ChainCache, DEFAULT_LIMITS, type Presentation } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject, parseJson, parseJsonObject } from '../../codec/index.ts';
import type { Action, Snapshot } from '../../decision/index.ts';
import { type Denial, deny, isDenial, isReasonCode } from '../../denial/index.ts';
import { type Measurement, parseMeasurement } from '../../environment/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import { type PreparedPolicy, parsePolicyBundle, preparePolicy } from '../../policy/index.ts';
import {
  argumentsOfProof,
  type DecisionReceipt,
  type EvidenceKind,
  type SaltedDigest,
} from '../../receipt/index.ts';
import type { TrustBundles, WorkloadCredential } from '../../workload/index.ts';
import { factOfApproval } from '../approvals/find-approvals.ts';
import { isRedactedRequest } from '../request-evidence.ts';
import { parseTrustBundles, parseWorkload } from '../workload-evidence.ts';

/**
 * Why evidence is not there. `withheld`: it was kept out, or is not given; `erased`: its key was destroyed, and a governance
 * event says so; `lost`: it should be there, and nothing accounts for its absence.
 */
export type Missing = 'withheld' | 'erased' | 'lost';

/** The evidence of one receipt, unsealed: from the store beside a log, or out of a bundle. */
export type ReceiptEvidence = (kind: EvidenceKind) => Uint8Array | Missing;

const MAX_REQUEST = { maxBytes: 64 * 1024 * 1024, maxDepth: 128 };

export function isMissing(value: unknown): value is Missing {
  return value === 'withheld' || value === 'erased' || value === 'lost';
}

/**
 * What was asked, as the evidence of a receipt has it.
 *
 * @returns a denial where the evidence is none of a decision: the receipt and it do not belong together.
 */
export function actionOfReceipt(
  receipt: DecisionReceipt,
  evidence: ReceiptEvidence,
): Action | Denial | Missing {
  const bytes = evidence('request');
  if (isMissing(bytes)) return bytes;
  const request = parseJsonObject(bytes, 'log.unavailable', MAX_REQUEST);
  if (isDenial(request)) return request;
  if (isRedactedRequest(request)) return 'withheld';
  const args: unknown = request.args ?? argumentsOfProof(request.pop);
  const tool = typeof request.tool === 'string' ? request.tool : receipt.tool;
  if (!isJsonObject(args)) return deny('log.unavailable', 'the request evidence holds no arguments');
  const presentation = presentationOf(request, receipt, evidence);
  if (isMissing(presentation)) return presentation;
  const shown = workloadOf(receipt, evidence);
  if (isMissing(shown) || isDenial(shown)) return shown;
  const refusal = denialOf(request.refusal);
  return {
    tool,
    args,
    presentation: shown?.kind === 'wit-svid' ? withToken(presentation, shown) : presentation,
    ...(shown?.kind === 'x509-svid' ? { peerCertificates: shown.certificates } : {}),
    ...(refusal === undefined ? {} : { refusal }),
    ...(receipt.toolDefinition === undefined ? {} : { toolDigest: receipt.toolDefinition }),
  };
}

function presentationOf(
  request: JsonObject,
  receipt: DecisionReceipt,
  evidence: ReceiptEvidence,
): Presentation | Denial | undefined | Missing {
  const problem = denialOf(request.problem);
  if (problem !== undefined) return problem;
  // A proof came with a chain; where that was not kept, nothing is guessed.
  if (receipt.evidence.chain === undefined) return request.pop === undefined ? undefined : 'withheld';
  const bytes = evidence('chain');
  if (isMissing(bytes)) return bytes;
  const chain = parseJson(bytes, 'log.unavailable');
  if (!Array.isArray(chain) || !chain.every((token) => typeof token === 'string')) return undefined;
  return { aat_chain: chain, aat_pop: typeof request.pop === 'string' ? request.pop : '' };
}

function workloadOf(
  receipt: DecisionReceipt,
  evidence: ReceiptEvidence,
): WorkloadCredential | Denial | undefined | Missing {
  if (receipt.evidence.workload === undefined) return undefined;
  const bytes = evidence('workload');
  return isMissing(bytes) ? bytes : parseWorkload(bytes);
}

function withToken(
  presentation: Presentation | Denial | undefined,
  { wit, wpt }: { readonly wit: string; readonly wpt: string },
): Presentation | Denial | undefined {
  return presentation === undefined || isDenial(presentation) ? presentation : { ...presentation, wit, wpt };
}

/** What the workload that called was verified with; undefined where nothing was. */
export function trustBundlesOfReceipt(
  receipt: DecisionReceipt,
  evidence: ReceiptEvidence,
): TrustBundles | undefined | Missing {
  if (receipt.evidence.trustBundle === undefined) return undefined;
  const bytes = evidence('trustBundle');
  if (isMissing(bytes)) return bytes;
  const bundles = parseTrustBundles(bytes);
  return isDenial(bundles) ? 'lost' : bundles;
}

/** The bundle a receipt was decided under, read and prepared; undefined where there was none. */
export function policyOfReceipt(
  { policy }: DecisionReceipt,
  evidence: ReceiptEvidence,
): PreparedPolicy | undefined | Missing {
  if (policy === undefined) return undefined;
  const bytes = evidence('policy');
  if (isMissing(bytes)) return bytes;
  const bundle = parsePolicyBundle(bytes);
  return isDenial(bundle) || bundle.digest !== policy.digest ? 'lost' : preparePolicy(bundle);
}

export function measurementOfReceipt(
  { environment }: DecisionReceipt,
  evidence: ReceiptEvidence,
): Measurement | undefined | Missing {
  if (environment === undefined) return undefined;
  const bytes = evidence('measurement');
  if (isMissing(bytes)) return bytes;
  const measurement = parseMeasurement(bytes);
  return isDenial(measurement) ? 'lost' : measurement;
}

/** What a receipt does not hold of the snapshot it was decided on. */
export interface SnapshotParts {
  /** The fold of the governance log up to the size that the receipt names. */
  readonly governance: GovernanceState;
  readonly policy: PreparedPolicy | undefined;
  readonly measurement: Measurement | undefined;
  readonly trustBundles?: TrustBundles;
  readonly findParent: Snapshot['findParent'];
  readonly findApprovals: Snapshot['findApprovals'];
  readonly cache?: ChainCache;
}

/** The snapshot of a decision. Its replay verdict is `fresh` but where the memory itself failed: the log's order tells the rest. */
export function snapshotOfReceipt(receipt: DecisionReceipt, parts: SnapshotParts): Snapshot {
  return {
    nowSeconds: receipt.atMs / 1000,
    audiences: receipt.audiences,
    keepsCounters: receipt.audiences.length === 1,
    governanceCheckedAtSeconds: receipt.governance.checkedAtMs / 1000,
    maxStalenessSeconds: receipt.bounds.maxStalenessSeconds,
    maxLineageDepth: receipt.bounds.maxLineageDepth,
    replay: receipt.code === 'replay.unavailable' ? 'unavailable' : 'fresh',
    record: 'available',
    people: receipt.approvals?.people ?? 'by-subject',
    limits: DEFAULT_LIMITS,
    ...parts,
  };
}

/**
 * What approvers had said, as the governance log has it, of that what the receipt says had not been spent. The digest is the
 * receipt's word, unless `digestOf` can make it again.
 */
export function recordedApprovals(
  { approvals }: DecisionReceipt,
  governance: GovernanceState,
  digestOf?: (canonicalAction: string) => SaltedDigest,
): Snapshot['findApprovals'] {
  const unspent = new Set(approvals?.given.map(({ nonce }) => nonce));
  return (canonicalAction) => {
    const actionDigest = digestOf?.(canonicalAction) ?? approvals?.action ?? NO_ACTION;
    const given = governance
      .approvalsOf(actionDigest)
      .filter(({ statement }) => statement.decision === 'reject' || unspent.has(statement.nonce));
    return { actionDigest, given: given.map(factOfApproval) };
  };
}

const NO_ACTION: SaltedDigest = 'salted-sha256:';

/** A denial as evidence holds it. */
function denialOf(json: unknown): Denial | undefined {
  if (!isJsonObject(json) || !isReasonCode(json.code)) return undefined;
  return deny(json.code, typeof json.detail === 'string' ? json.detail : '');
}
