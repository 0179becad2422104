import { isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { EVIDENCE_KINDS, type EvidenceKind } from './decision-receipt.ts';

export const BUNDLE = 'writ/bundle@v2';

/** One log entry with the proof that it is in the log. */
export interface BundledEntry {
  /** The entry's bytes, base64. */
  readonly entry: string;
  /** A C2SP tlog-proof: inclusion proof and signed checkpoint. */
  readonly proof: string;
}

export interface BundledExecution {
  readonly decision: BundledEntry;
  /** What came of a permit; null where its log had none. Absent for a denial. */
  readonly outcome?: BundledEntry | null;
  /** Evidence that the receipt names and the bundle leaves out. */
  readonly withheld?: readonly EvidenceKind[];
  /** The trust anchor its chain was verified under. */
  readonly anchor?: { readonly iss: string; readonly jwk: JsonObject };
  /** Opens the salted digests of this execution, base64url. Goes with its `request`. */
  readonly salt?: string;
  /** Opens the digest that approvals of this action name, base64url. Goes with its `request`. */
  readonly actionSalt?: string;
}

/** The governance log that the decisions stood on: all of it, up to the newest of them. */
export interface BundledGovernance {
  readonly vkey: string;
  /** A signed checkpoint of it, of this size or a later one. */
  readonly checkpoint: string;
  /** Consistency proof from the entries here to that checkpoint: base64 hashes. */
  readonly consistency: readonly string[];
  /** The entries' text, in order. */
  readonly entries: readonly string[];
}

/**
 * Everything an outsider needs to verify executions offline (spec/receipt.md §5): one execution with its ancestors, the
 * parent first, or all of a lineage, the root first.
 */
export interface EvidenceBundle {
  readonly type: typeof BUNDLE;
  readonly about: { readonly execution: string } | { readonly lineage: string };
  readonly executions: readonly BundledExecution[];
  /** Unsealed evidence, by the address that receipts name it by: what several share is here once. */
  readonly evidence: Readonly<Record<string, JsonObject | readonly string[]>>;
  readonly governance: BundledGovernance;
}

/** A policy may have 1 MiB, arguments 8 MiB. */
export const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;
export const MAX_BUNDLED_EXECUTIONS = 4096;
export const MAX_BUNDLED_EVENTS = 65_536;
const MAX_CONSISTENCY_HASHES = 128;
const ADDRESS = /^[A-Za-z0-9_-]{43}$/;

/** Parses a bundle from an untrusted source: the shape is checked, not the truth of it. */
export function parseBundle(bytes: string | Uint8Array): EvidenceBundle | Denial {
  const json = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 128 });
  if (isDenial(json)) return json;
  if (json.type !== BUNDLE) return deny('request.malformed', `not a ${BUNDLE} document`);
  const problem = findProblem(json);
  return problem === undefined
    ? (json as unknown as EvidenceBundle)
    : deny('request.malformed', `bundle is malformed: ${problem}`);
}

/** Each part, and whether its value is well-formed. */
const PARTS: Readonly<Record<string, (value: JsonValue | undefined) => boolean>> = {
  type: isString,
  about: (value) =>
    isJsonObject(value) &&
    Object.keys(value).length === 1 &&
    (isString(value.execution) || isString(value.lineage)),
  executions: (value) =>
    isArrayOf(isExecution, MAX_BUNDLED_EXECUTIONS)(value) && Array.isArray(value) && value.length > 0,
  evidence: (value) =>
    isJsonObject(value) && Object.entries(value).every(([at, part]) => ADDRESS.test(at) && isEvidence(part)),
  governance: (value) =>
    isJsonObject(value) &&
    hasOnly(value, ['vkey', 'checkpoint', 'consistency', 'entries']) &&
    isString(value.vkey) &&
    isString(value.checkpoint) &&
    isArrayOf(isString, MAX_CONSISTENCY_HASHES)(value.consistency) &&
    isArrayOf(isString, MAX_BUNDLED_EVENTS)(value.entries),
};

function findProblem(json: JsonObject): string | undefined {
  if (!hasOnly(json, Object.keys(PARTS))) return 'it has a part that nobody checks';
  const unfit = Object.entries(PARTS).find(([name, isWellFormed]) => !isWellFormed(json[name]));
  if (unfit === undefined) return undefined;
  return json[unfit[0]] === undefined ? `${unfit[0]} is missing` : unfit[0];
}

function isExecution(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false;
  const { decision, outcome, withheld, anchor, salt, actionSalt } = value;
  return (
    hasOnly(value, ['decision', 'outcome', 'withheld', 'anchor', 'salt', 'actionSalt']) &&
    isEntry(decision) &&
    (outcome === undefined || outcome === null || isEntry(outcome)) &&
    (withheld === undefined || isArrayOf(isKind, EVIDENCE_KINDS.length)(withheld)) &&
    (salt === undefined || isString(salt)) &&
    (actionSalt === undefined || isString(actionSalt)) &&
    (anchor === undefined ||
      (isJsonObject(anchor) &&
        hasOnly(anchor, ['iss', 'jwk']) &&
        isString(anchor.iss) &&
        isJsonObject(anchor.jwk)))
  );
}

function isEntry(value: JsonValue | undefined): boolean {
  return (
    isJsonObject(value) &&
    hasOnly(value, ['entry', 'proof']) &&
    isString(value.entry) &&
    isString(value.proof)
  );
}

function isEvidence(value: JsonValue): boolean {
  return isJsonObject(value) || (Array.isArray(value) && value.every(isString));
}

function isKind(value: JsonValue): boolean {
  return EVIDENCE_KINDS.some((kind) => kind === value);
}

function isArrayOf(isMember: (value: JsonValue) => boolean, maxLength: number) {
  return (value: JsonValue | undefined): boolean =>
    Array.isArray(value) && value.length <= maxLength && value.every(isMember);
}

/** What a verifier does not check must not stand in a bundle, where a reader would take it for checked. */
function hasOnly(value: JsonObject, members: readonly string[]): boolean {
  return Object.keys(value).every((member) => members.includes(member));
}

function isString(value: JsonValue | undefined): boolean {
  return typeof value === 'string';
}
