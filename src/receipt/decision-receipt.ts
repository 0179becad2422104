import {
  canonicalize,
  type Digest,
  isDigest,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
} from '../codec/index.ts';
import {
  type Denial,
  deny,
  isDenial,
  isReasonCode,
  type ReasonCode,
  STAGES,
  type Stage,
} from '../denial/index.ts';

import { isPreview, type Preview } from './preview.ts';

export const DECISION_RECEIPT = 'writ/decision@v1';

/** What a stage said: `pass`, `fail`, or `skip` because an earlier one failed. */
export type StageVerdict = 'pass' | 'fail' | 'skip';

/** SHA-256 over a secret 32-byte salt and the content, `salted-sha256:` and 64 hex digits: it says nothing about its content to who lacks the salt. */
export type SaltedDigest = `salted-sha256:${string}`;

/** The authority a decision was made under. Strings come from signed tokens. */
export interface ArtifactFacts {
  /** Digest over the chain's compact tokens. */
  readonly digest: Digest;
  readonly issuer: string;
  /** Token ids, root first. */
  readonly tokenIds: readonly string[];
  /** base64url SHA-256 of each token's signing input, root first. */
  readonly tokenHashes: readonly string[];
  /** RFC 7638 thumbprint of each token's holder key, root first. */
  readonly holders: readonly string[];
  readonly initiator?: { readonly id: string; readonly kind: string };
  readonly attribution?: { readonly owner: string; readonly onBehalfOf?: readonly string[] };
  readonly purpose?: string;
  readonly reference?: string;
}

/** Which workload called, and how that is known. */
export interface WorkloadFacts {
  /** SPIFFE ID. */
  readonly id: string;
  readonly kind: 'x509-svid' | 'wit-svid';
  /** SHA-256 of the certificate, or of the token. */
  readonly credential: Digest;
  /** Until when that is valid. */
  readonly expSeconds: number;
  /** Digest of the trust bundle that it was verified with. */
  readonly bundle: Digest;
}

/** What a decision needed of approvers, and had. */
export interface ApprovalsSeen {
  /** Keyed digest of exactly this action: what approvals name. */
  readonly action: SaltedDigest;
  /** Who counted as one person (spec/receipt.md); absent in receipts from before that was looked at. */
  readonly people?: 'same-name';
  readonly required: readonly { readonly role: string; readonly threshold: number }[];
  /** What counted, for or against; a permit spent the consents among it. */
  readonly given: readonly {
    readonly nonce: string;
    readonly approver: string;
    readonly role: string;
    readonly decision: 'approve' | 'reject';
  }[];
  /** Where approvals are what it lacks: until when this denial is a request for them. */
  readonly requestExpiresAtMs?: number;
}

/** The statement one decision leaves in the execution log. Times are integer milliseconds since the epoch. */
export interface DecisionReceipt {
  readonly type: typeof DECISION_RECEIPT;
  /** Execution id (UUIDv7). */
  readonly id: string;
  readonly atMs: number;
  /** Origin of the log this receipt was written to. */
  readonly log: string;
  /** Identifiers under which the enforcement point is addressed; the last one is its own instance. */
  readonly audiences: readonly string[];
  readonly tool: string;
  readonly arguments: SaltedDigest;
  /** What a redaction rule lets be shown of the arguments, in clear. */
  readonly preview?: Preview;
  readonly verdict: 'permit' | 'deny';
  readonly code?: ReasonCode;
  readonly detail?: string;
  readonly stages: Readonly<Record<Stage, StageVerdict>>;
  readonly artifact?: ArtifactFacts;
  readonly proof?: { readonly jti: string; readonly iatSeconds: number };
  /** The enrolled agent that holds the leaf key. */
  readonly agent?: string;
  /** The workload that the caller proved to be. */
  readonly workload?: WorkloadFacts;
  readonly environment?: {
    readonly digest: Digest;
    readonly assurance: string;
    readonly measuredAtSeconds: number;
  };
  /** Digest of the tool's definition as the upstream listed it. */
  readonly toolDefinition?: Digest;
  readonly policy?: {
    readonly id: string;
    readonly digest: Digest;
    readonly determining?: readonly string[];
  };
  /** The governance knowledge the decision stood on. */
  readonly governance: { readonly size: number; readonly rootHash: string; readonly checkedAtMs: number };
  /**
   * What bounded the decision: how old governance knowledge and how deep lineage may be, and how many entries of its own
   * log it knew (where a parent may stand).
   */
  readonly bounds: {
    readonly maxStalenessSeconds: number;
    readonly maxLineageDepth: number;
    readonly logSize?: number;
  };
  readonly lineage?: { readonly parent?: string; readonly root: string; readonly depth: number };
  /** Where the action needs approvals. */
  readonly approvals?: ApprovalsSeen;
  /** Addresses in the sealed evidence store of what re-deriving the decision needs. */
  readonly evidence: Readonly<Partial<Record<EvidenceKind, string>>>;
}

/**
 * request: the proof and, where they differ from it, the arguments; chain: the artifact's tokens; policy: the bundle;
 * measurement: the environment's components; workload: what the caller showed of the workload that it is; trustBundle: what
 * that was verified with.
 */
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

export const EVIDENCE_KINDS = [
  'request',
  'chain',
  'policy',
  'measurement',
  'workload',
  'trustBundle',
] as const;

const MAX_RECEIPT_BYTES = 65_535;

interface ReceiptBounds {
  readonly characters: number;
  readonly items: number;
}

/**
 * How much of a string or list a receipt repeats. Strings come from tokens and callers, and one character may take six
 * bytes in JCS. INVARIANT: under the last bounds every receipt fits a log entry (64 KiB), so that nobody can word a
 * request such that its denial cannot be recorded; no digest, hash or id of ours is longer than its 128 characters.
 */
const RECEIPT_BOUNDS: readonly ReceiptBounds[] = [
  { characters: 1024, items: 64 },
  { characters: 256, items: 64 },
  { characters: 128, items: 16 },
];

/** The receipt as the log entry's bytes: JCS, of at most 65,535 bytes. */
export function serializeReceipt(receipt: object): Uint8Array {
  let entry: Uint8Array = new Uint8Array();
  for (const bounds of RECEIPT_BOUNDS) {
    // INVARIANT: with members in order and strings well-formed, this is JCS; the names of members are ours, never digits.
    entry = Buffer.from(JSON.stringify(bounded(receipt as unknown as JsonValue, bounds)), 'utf8');
    if (entry.byteLength <= MAX_RECEIPT_BYTES) break;
  }
  return entry;
}

/** Whether a recorded value is what a receipt repeats of the whole one: the same but for what its bounds cut off. */
export function isRecordOf(recorded: JsonValue | object, whole: JsonValue | object): boolean {
  const text = canonicalize(recorded as JsonValue);
  return RECEIPT_BOUNDS.some((bounds) => canonicalize(bounded(whole as JsonValue, bounds)) === text);
}

/** Cut to the bounds, members sorted as JCS sorts them. */
function bounded(value: JsonValue, bounds: ReceiptBounds): JsonValue {
  if (typeof value === 'string') {
    const whole = value.toWellFormed();
    return whole.length <= bounds.characters
      ? whole
      : `${whole.slice(0, bounds.characters - 1).toWellFormed()}…`;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.slice(0, bounds.items).map((item) => bounded(item, bounds));
  const members: Record<string, JsonValue> = {};
  const object: JsonObject = value as JsonObject;
  for (const name of Object.keys(object).sort()) {
    const member = object[name];
    if (member !== undefined) members[name] = bounded(member, bounds);
  }
  return members;
}

/** Parses an entry of an execution log as a decision receipt: the shape is checked, not the truth of it. */
export function parseDecisionReceipt(entry: Uint8Array): DecisionReceipt | Denial {
  const json = parseJsonObject(entry, 'log.unavailable', { maxBytes: MAX_RECEIPT_BYTES, maxDepth: 8 });
  if (isDenial(json)) return json;
  const problem = findProblem(json);
  return problem === undefined ? (json as unknown as DecisionReceipt) : deny('log.unavailable', problem);
}

function findProblem(json: JsonObject): string | undefined {
  if (json.type !== DECISION_RECEIPT) return 'not a decision receipt';
  for (const name of ['id', 'log', 'tool', 'arguments']) {
    if (typeof json[name] !== 'string') return `receipt.${name} is not a string`;
  }
  if (!Number.isSafeInteger(json.atMs)) return 'receipt.atMs is not an integer';
  if (json.verdict !== 'permit' && json.verdict !== 'deny') return 'receipt.verdict is unknown';
  // A permit with a reason to deny, or a denial without one, is no receipt of ours.
  if (json.verdict === 'deny' ? !isReasonCode(json.code) : json.code !== undefined)
    return 'receipt.code is wrong';
  if (!isStringArray(json.audiences)) return 'receipt.audiences is malformed';
  const { stages, governance, evidence, bounds } = json;
  if (!isJsonObject(bounds) || typeof bounds.maxStalenessSeconds !== 'number')
    return 'receipt.bounds is malformed';
  if (!Number.isSafeInteger(bounds.maxLineageDepth)) return 'receipt.bounds is malformed';
  if (bounds.logSize !== undefined && !Number.isSafeInteger(bounds.logSize))
    return 'receipt.bounds is malformed';
  if (!isJsonObject(stages) || Object.keys(stages).length !== STAGES.length)
    return 'receipt.stages is malformed';
  if (!STAGES.every((stage) => isStageVerdict(stages[stage]))) return 'receipt.stages is malformed';
  if (!isJsonObject(governance) || !Number.isSafeInteger(governance.size))
    return 'receipt.governance is malformed';
  if (typeof governance.rootHash !== 'string' || !Number.isSafeInteger(governance.checkedAtMs)) {
    return 'receipt.governance is malformed';
  }
  if (!isJsonObject(evidence) || !Object.values(evidence).every((address) => typeof address === 'string')) {
    return 'receipt.evidence is malformed';
  }
  return findOptionalProblem(json);
}

/** Each optional member and whether a value of it is well-formed. */
const OPTIONAL: Readonly<Record<string, (value: JsonValue) => boolean>> = {
  detail: isString,
  preview: isPreview,
  agent: isString,
  toolDefinition: isDigest,
  artifact: isArtifactFacts,
  proof: (value) => isJsonObject(value) && isString(value.jti) && Number.isSafeInteger(value.iatSeconds),
  environment: (value) =>
    isJsonObject(value) &&
    isDigest(value.digest) &&
    isString(value.assurance) &&
    Number.isFinite(value.measuredAtSeconds),
  workload: (value) =>
    isJsonObject(value) &&
    isString(value.id) &&
    (value.kind === 'x509-svid' || value.kind === 'wit-svid') &&
    isDigest(value.credential) &&
    isDigest(value.bundle) &&
    Number.isFinite(value.expSeconds),
  policy: (value) =>
    isJsonObject(value) &&
    isDigest(value.digest) &&
    isString(value.id) &&
    isAbsentOr(isStringArray, value.determining),
  lineage: (value) =>
    isJsonObject(value) &&
    isString(value.root) &&
    Number.isSafeInteger(value.depth) &&
    isAbsentOr(isString, value.parent),
  approvals: (value) =>
    isJsonObject(value) &&
    isSaltedDigest(value.action) &&
    (value.people === undefined || value.people === 'same-name') &&
    isAbsentOr(Number.isSafeInteger, value.requestExpiresAtMs) &&
    Array.isArray(value.required) &&
    value.required.every(
      (item) => isJsonObject(item) && isString(item.role) && Number.isSafeInteger(item.threshold),
    ) &&
    Array.isArray(value.given) &&
    value.given.every(
      (item) =>
        isJsonObject(item) &&
        isString(item.nonce) &&
        isString(item.approver) &&
        isString(item.role) &&
        (item.decision === 'approve' || item.decision === 'reject'),
    ),
};

function findOptionalProblem(json: JsonObject): string | undefined {
  for (const [name, isWellFormed] of Object.entries(OPTIONAL)) {
    if (!isAbsentOr(isWellFormed, json[name])) return `receipt.${name} is malformed`;
  }
  return undefined;
}

function isAbsentOr(isWellFormed: (value: JsonValue) => boolean, value: JsonValue | undefined): boolean {
  return value === undefined || isWellFormed(value);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isSaltedDigest(value: unknown): value is SaltedDigest {
  return isString(value) && /^salted-sha256:[0-9a-f]{64}$/.test(value);
}

function isStageVerdict(value: unknown): value is StageVerdict {
  return value === 'pass' || value === 'fail' || value === 'skip';
}

function isStringArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isString);
}

function isArtifactFacts(value: JsonValue): boolean {
  return (
    isJsonObject(value) &&
    isDigest(value.digest) &&
    isString(value.issuer) &&
    isStringArray(value.tokenIds) &&
    isStringArray(value.tokenHashes) &&
    isStringArray(value.holders) &&
    isAbsentOr(isInitiator, value.initiator) &&
    isAbsentOr(isAttribution, value.attribution) &&
    isAbsentOr(isString, value.purpose) &&
    isAbsentOr(isString, value.reference)
  );
}

function isInitiator(value: JsonValue): boolean {
  return isJsonObject(value) && isString(value.id) && isString(value.kind);
}

function isAttribution(value: JsonValue): boolean {
  return isJsonObject(value) && isString(value.owner) && isAbsentOr(isStringArray, value.onBehalfOf);
}
