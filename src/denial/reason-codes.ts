/**
 * The closed, append-only registry of reason codes (stage order: `spec/receipt.md`).
 * Codes are API and pinned by a snapshot test; the public text is fixed and carries no detail of the request.
 */

/** The stages of a decision, in the order they run. `any` is for what no stage foresaw. */
export const STAGES = [
  'request',
  'artifact',
  'identity',
  'scope',
  'environment',
  'revocation',
  'lineage',
  'policy',
  'approval',
  'replay',
  'record',
] as const;

export type Stage = (typeof STAGES)[number];

export interface Reason {
  readonly stage: Stage | 'any';
  /** Fixed text that may be shown to the caller. */
  readonly text: string;
  /** HTTP status (RFC 9110). */
  readonly http: number;
  /** gRPC status code number (google.rpc.Code). */
  readonly grpc: number;
  /** JSON-RPC 2.0 error code, from the implementation-defined server range (§5.1). */
  readonly jsonrpc: number;
}

const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

const malformed = { http: 400, grpc: INVALID_ARGUMENT, jsonrpc: -32600 } as const;
const unauthenticated = { http: 401, grpc: UNAUTHENTICATED, jsonrpc: -32001 } as const;
const forbidden = { http: 403, grpc: PERMISSION_DENIED, jsonrpc: -32003 } as const;
const precondition = { http: 403, grpc: FAILED_PRECONDITION, jsonrpc: -32003 } as const;
const exhausted = { http: 429, grpc: RESOURCE_EXHAUSTED, jsonrpc: -32003 } as const;
const unavailable = { http: 503, grpc: UNAVAILABLE, jsonrpc: -32004 } as const;

export const REASONS = {
  'request.malformed': { stage: 'request', text: 'The request is not well-formed.', ...malformed },
  'request.too_large': {
    stage: 'request',
    text: 'The request exceeds a size limit.',
    http: 413,
    grpc: RESOURCE_EXHAUSTED,
    jsonrpc: -32600,
  },
  'artifact.missing': {
    stage: 'artifact',
    text: 'No authorization artifact was presented.',
    ...unauthenticated,
  },
  'artifact.malformed': {
    stage: 'artifact',
    text: 'The authorization artifact is not well-formed.',
    ...unauthenticated,
  },
  'artifact.untrusted_issuer': {
    stage: 'artifact',
    text: 'The artifact was not issued by a trust anchor.',
    ...unauthenticated,
  },
  'artifact.signature_invalid': {
    stage: 'artifact',
    text: 'A signature in the artifact is not valid.',
    ...unauthenticated,
  },
  'artifact.expired': { stage: 'artifact', text: 'The artifact has expired.', ...unauthenticated },
  'artifact.not_yet_valid': {
    stage: 'artifact',
    text: 'The artifact is not valid yet.',
    ...unauthenticated,
  },
  'artifact.audience_mismatch': {
    stage: 'artifact',
    text: 'The artifact is not meant for this enforcement point.',
    ...unauthenticated,
  },
  'artifact.attenuation_invalid': {
    stage: 'artifact',
    text: 'A derived token exceeds the authority of its parent.',
    ...unauthenticated,
  },
  'identity.proof_missing': {
    stage: 'identity',
    text: 'No proof of possession was presented.',
    ...unauthenticated,
  },
  'identity.proof_invalid': {
    stage: 'identity',
    text: 'The proof of possession is not valid for this call.',
    ...unauthenticated,
  },
  'identity.proof_stale': {
    stage: 'identity',
    text: 'The proof of possession is outside its time window.',
    ...unauthenticated,
  },
  'identity.mismatch': {
    stage: 'identity',
    text: 'The caller is not the one the artifact names.',
    ...unauthenticated,
  },
  'scope.tool_not_granted': { stage: 'scope', text: 'The artifact does not grant this tool.', ...forbidden },
  'scope.arguments_not_granted': {
    stage: 'scope',
    text: 'The artifact does not grant these arguments.',
    ...forbidden,
  },
  'scope.outside_window': {
    stage: 'scope',
    text: 'The artifact does not grant execution at this time.',
    ...forbidden,
  },
  'scope.use_exhausted': {
    stage: 'scope',
    text: 'The uses or budget the artifact grants are spent.',
    ...exhausted,
  },
  'environment.unmeasured': {
    stage: 'environment',
    text: 'The runtime environment has not been measured.',
    ...precondition,
  },
  'environment.mismatch': {
    stage: 'environment',
    text: 'The runtime environment is not the one the artifact is bound to.',
    ...precondition,
  },
  'environment.stale': {
    stage: 'environment',
    text: 'The measurement of the runtime environment is too old.',
    ...precondition,
  },
  'environment.assurance_too_low': {
    stage: 'environment',
    text: 'The environment is not proven at the required assurance level.',
    ...precondition,
  },
  'environment.tool_changed': {
    stage: 'environment',
    text: 'The tool is no longer the one that was granted.',
    ...precondition,
  },
  'revocation.revoked': { stage: 'revocation', text: 'The authority has been revoked.', ...forbidden },
  'revocation.stale': {
    stage: 'revocation',
    text: 'Knowledge of revocations is not fresh enough.',
    ...unavailable,
  },
  'lineage.parent_unknown': {
    stage: 'lineage',
    text: 'The parent execution is not in a log that can be checked.',
    ...forbidden,
  },
  'lineage.parent_denied': {
    stage: 'lineage',
    text: 'The parent execution was not permitted or no longer stands.',
    ...forbidden,
  },
  'lineage.root_mismatch': {
    stage: 'lineage',
    text: 'The parent execution did not run under this authority.',
    ...forbidden,
  },
  'lineage.too_deep': {
    stage: 'lineage',
    text: 'The chain of executions is deeper than allowed.',
    ...forbidden,
  },
  'policy.forbidden': { stage: 'policy', text: 'Policy forbids this action.', ...forbidden },
  'policy.not_permitted': { stage: 'policy', text: 'No policy permits this action.', ...forbidden },
  'policy.evaluation_failed': {
    stage: 'policy',
    text: 'Policy could not be evaluated for this action.',
    ...forbidden,
  },
  'policy.version_mismatch': {
    stage: 'policy',
    text: 'The active policy is not the version the artifact requires.',
    ...precondition,
  },
  'policy.unavailable': { stage: 'policy', text: 'No policy is available.', ...unavailable },
  'approval.required': { stage: 'approval', text: 'This action needs an approval.', ...precondition },
  'approval.rejected': { stage: 'approval', text: 'An approver rejected this action.', ...forbidden },
  'approval.expired': {
    stage: 'approval',
    text: 'The approval of this action has expired.',
    ...precondition,
  },
  'replay.detected': { stage: 'replay', text: 'This proof has been used before.', ...unauthenticated },
  'replay.unavailable': {
    stage: 'replay',
    text: 'Single use of the proof cannot be established.',
    ...unavailable,
  },
  'log.unavailable': { stage: 'record', text: 'The decision could not be recorded.', ...unavailable },
  'internal.unexpected': {
    stage: 'any',
    text: 'The decision could not be made.',
    http: 500,
    grpc: INTERNAL,
    jsonrpc: -32603,
  },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;

export const REASON_CODES = Object.freeze(Object.keys(REASONS)) as readonly ReasonCode[];

/** Narrows text from a peer; an unknown code is a denial to be treated as `internal.unexpected`. */
export function isReasonCode(text: unknown): text is ReasonCode {
  return typeof text === 'string' && Object.hasOwn(REASONS, text);
}
