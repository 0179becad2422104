import { type JsonObject, type JsonValue, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';

export const BUNDLE = 'writ/bundle@v1';

/** One log entry with the proof that it is in the log. */
export interface BundledEntry {
  /** The entry's bytes, base64. */
  readonly entry: string;
  /** A C2SP tlog-proof: inclusion proof and signed checkpoint. */
  readonly proof: string;
}

/**
 * Everything an outsider needs to verify one execution offline. Of the evidence each part may be absent: withheld, or
 * never there; the receipt says which parts exist.
 */
export interface EvidenceBundle {
  readonly type: typeof BUNDLE;
  readonly decision: BundledEntry;
  /** Absent while the execution runs, and after a crash: then what came of it is unknown. */
  readonly outcome?: BundledEntry;
  readonly evidence: {
    /** The presented proof of possession (compact JWS) and, where it does not hold them, the arguments. */
    readonly request?: JsonObject;
    /** The presented tokens, root first. */
    readonly chain?: readonly string[];
    /** The trust anchor the chain was verified under, as the domain's governance log named it. */
    readonly anchor?: { readonly iss: string; readonly jwk: JsonObject };
    /** The policy bundle document. */
    readonly policy?: JsonObject;
    readonly measurement?: JsonObject;
  };
  /** Opens the salted digests of this execution, base64url. Absent: they stay closed. */
  readonly salt?: string;
}

/** A bundle repeats a policy (1 MiB), arguments (8 MiB) and a chain. */
const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;

/** Parses a bundle from an untrusted source: the shape is checked, not the truth of it. */
export function parseBundle(bytes: string | Uint8Array): EvidenceBundle | Denial {
  const json = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 128 });
  if (isDenial(json)) return json;
  if (json.type !== BUNDLE) return deny('request.malformed', `not a ${BUNDLE} document`);
  const { decision, outcome, evidence, salt } = json;
  const wellFormed =
    hasOnly(json, ['type', 'decision', 'outcome', 'evidence', 'salt']) &&
    isBundledEntry(decision) &&
    (outcome === undefined || isBundledEntry(outcome)) &&
    (salt === undefined || typeof salt === 'string') &&
    isEvidence(evidence);
  return wellFormed ? (json as unknown as EvidenceBundle) : deny('request.malformed', 'bundle is malformed');
}

function isBundledEntry(value: JsonValue | undefined): boolean {
  return (
    isObject(value) &&
    hasOnly(value, ['entry', 'proof']) &&
    typeof value.entry === 'string' &&
    typeof value.proof === 'string'
  );
}

function isEvidence(value: JsonValue | undefined): boolean {
  if (!isObject(value)) return false;
  const { request, chain, anchor, policy, measurement } = value;
  return (
    hasOnly(value, ['request', 'chain', 'anchor', 'policy', 'measurement']) &&
    [request, policy, measurement].every((part) => part === undefined || isObject(part)) &&
    (chain === undefined || (Array.isArray(chain) && chain.every((token) => typeof token === 'string'))) &&
    (anchor === undefined ||
      (isObject(anchor) &&
        hasOnly(anchor, ['iss', 'jwk']) &&
        typeof anchor.iss === 'string' &&
        isObject(anchor.jwk)))
  );
}

/** What a verifier does not check must not stand in a bundle, where a reader would take it for checked. */
function hasOnly(value: JsonObject, members: readonly string[]): boolean {
  return Object.keys(value).every((member) => members.includes(member));
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
