import { verifyChain, verifyProof } from '../artifact/index.ts';
import {
  canonicalize,
  decodeBase64url,
  digestOf,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import { parseMeasurement } from '../environment/index.ts';
import { parsePublicJwk } from '../key/index.ts';
import {
  leafHash,
  type NoteVerifier,
  parseTlogProof,
  type VerifiedInclusion,
  verifyTlogProof,
} from '../tlog/index.ts';
import { type BundledEntry, type EvidenceBundle, parseBundle } from './bundle.ts';
import { type DecisionReceipt, parseDecisionReceipt } from './decision-receipt.ts';
import { saltedDigest } from './evidence-address.ts';
import { type OutcomeReceipt, parseOutcomeReceipt } from './outcome-receipt.ts';

const MAX_PROOF_BYTES = 16 * 1024 * 1024;

export interface BundleReport {
  readonly verified: boolean;
  /** Everything found wrong, each naming its part. Empty when verified. */
  readonly problems: readonly string[];
  /** What the receipt speaks of and the bundle does not hold: not wrong, but not checked either. */
  readonly withheld: readonly string[];
  readonly decision?: DecisionReceipt;
  readonly outcome?: OutcomeReceipt;
}

/**
 * Verifies a bundle offline with nothing but the public key of the log it comes from: that decision and outcome are in
 * the log, that they belong together, and that each part of the evidence is the one the receipt was made from. The
 * trust anchor is the bundle's own word: who trusts it compares `evidence.anchor` with what they know.
 */
export function verifyBundle(bytes: string | Uint8Array, logKey: NoteVerifier): BundleReport {
  const bundle = parseBundle(bytes);
  if (isDenial(bundle)) return { verified: false, problems: [`bundle: ${bundle.detail}`], withheld: [] };
  const problems: string[] = [];
  const withheld: string[] = [];

  const decision = verifyEntry('decision', bundle.decision, logKey, parseDecisionReceipt, problems);
  if (decision === undefined) return { verified: false, problems, withheld };
  const { receipt } = decision;
  if (receipt.log !== logKey.name) problems.push(`decision: the receipt names log ${receipt.log}`);
  findStageProblem(receipt, problems);

  const outcome =
    bundle.outcome && verifyEntry('outcome', bundle.outcome, logKey, parseOutcomeReceipt, problems);
  if (outcome !== undefined) verifyOutcome(decision, outcome, problems);
  verifyEvidence(receipt, bundle, problems, withheld);

  return {
    verified: problems.length === 0,
    problems,
    withheld,
    decision: receipt,
    ...(outcome ? { outcome: outcome.receipt } : {}),
  };
}

interface VerifiedEntry<R> {
  readonly receipt: R;
  readonly inclusion: VerifiedInclusion;
  readonly leaf: Uint8Array;
}

function verifyEntry<R extends object>(
  part: string,
  { entry, proof }: BundledEntry,
  logKey: NoteVerifier,
  parse: (entry: Uint8Array) => R | Denial,
  problems: string[],
): VerifiedEntry<R> | undefined {
  const bytes = Buffer.from(entry, 'base64');
  if (bytes.toString('base64') !== entry) {
    problems.push(`${part}: the entry is not base64`);
    return undefined;
  }
  const parsedProof = parseTlogProof(proof);
  if (isDenial(parsedProof)) {
    problems.push(`${part}: ${parsedProof.detail}`);
    return undefined;
  }
  const leaf = leafHash(bytes);
  const inclusion = verifyTlogProof(parsedProof, leaf, logKey);
  if (isDenial(inclusion)) {
    problems.push(`${part}: ${inclusion.detail}`);
    return undefined;
  }
  const receipt = parse(bytes);
  if (isDenial(receipt)) {
    problems.push(`${part}: ${receipt.detail}`);
    return undefined;
  }
  return { receipt, inclusion, leaf };
}

/** A permit needs every stage's yes; a denial has exactly one stage that failed, and none that ran after it. */
function findStageProblem({ verdict, stages }: DecisionReceipt, problems: string[]): void {
  const verdicts = Object.values(stages);
  if (verdict === 'permit' && verdicts.some((stage) => stage !== 'pass')) {
    problems.push('decision: a permit with a stage that did not pass');
  }
  if (verdict === 'deny' && verdicts.filter((stage) => stage === 'fail').length !== 1) {
    problems.push('decision: a denial without exactly one failed stage');
  }
}

function verifyOutcome(
  decision: VerifiedEntry<DecisionReceipt>,
  outcome: VerifiedEntry<OutcomeReceipt>,
  problems: string[],
): void {
  if (outcome.receipt.id !== decision.receipt.id) problems.push('outcome: it is of another execution');
  if (outcome.receipt.decision.index !== decision.inclusion.index)
    problems.push('outcome: it names another decision');
  if (outcome.receipt.decision.leafHash !== encodeBase64url(decision.leaf)) {
    problems.push('outcome: it names another decision');
  }
  if (decision.receipt.verdict !== 'permit') problems.push('outcome: the decision was a denial');
  if (outcome.inclusion.index <= decision.inclusion.index)
    problems.push('outcome: it was recorded before its decision');
}

function verifyEvidence(
  receipt: DecisionReceipt,
  { evidence, salt }: EvidenceBundle,
  problems: string[],
  withheld: string[],
): void {
  for (const kind of ['request', 'chain', 'policy', 'measurement'] as const) {
    if (receipt.evidence[kind] !== undefined && evidence[kind] === undefined) withheld.push(kind);
  }
  if (evidence.policy !== undefined && digestOf(canonicalize(evidence.policy)) !== receipt.policy?.digest) {
    problems.push('evidence.policy: not the bundle the decision was made under');
  }
  if (evidence.measurement !== undefined) {
    const measurement = parseMeasurement(Buffer.from(canonicalize(evidence.measurement)));
    if (isDenial(measurement) || measurement.digest !== receipt.environment?.digest) {
      problems.push('evidence.measurement: not the environment the decision was made in');
    }
  }
  verifyArguments(receipt, evidence.request, salt, problems, withheld);
  verifyAuthority(receipt, evidence, problems, withheld);
}

function verifyArguments(
  receipt: DecisionReceipt,
  request: JsonObject | undefined,
  salt: string | undefined,
  problems: string[],
  withheld: string[],
): void {
  if (request === undefined) return;
  const args = isJsonObject(request.args) ? request.args : argumentsOfProof(request.pop);
  if (salt === undefined) {
    withheld.push('salt');
    return;
  }
  const saltBytes = decodeBase64url(salt, 'request.malformed');
  if (isDenial(saltBytes)) {
    problems.push('salt: not base64url');
  } else if (args !== undefined && saltedDigest(saltBytes, canonicalize(args)) !== receipt.arguments) {
    problems.push('evidence.request: not the arguments the decision was made about');
  }
}

/** The arguments a proof of possession states, its signature aside. */
export function argumentsOfProof(pop: unknown): JsonObject | undefined {
  if (typeof pop !== 'string') return undefined;
  const bytes = decodeBase64url(pop.split('.')[1] ?? '', 'request.malformed');
  if (isDenial(bytes)) return undefined;
  const payload = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_PROOF_BYTES, maxDepth: 128 });
  return !isDenial(payload) && isJsonObject(payload.hta) ? payload.hta : undefined;
}

/** The chain is the one the receipt names and, where the call was permitted, verifies for exactly this call. */
function verifyAuthority(
  receipt: DecisionReceipt,
  { chain, anchor, request }: EvidenceBundle['evidence'],
  problems: string[],
  withheld: string[],
): void {
  if (chain === undefined || receipt.artifact === undefined) return;
  if (digestOf(chain.join('\n')) !== receipt.artifact.digest) {
    problems.push('evidence.chain: not the artifact the decision was made under');
    return;
  }
  if (anchor === undefined) {
    withheld.push('anchor');
    return;
  }
  const key = parsePublicJwk(anchor.jwk, 'artifact.malformed');
  const nowSeconds = receipt.atMs / 1000;
  const verified = isDenial(key)
    ? key
    : verifyChain(chain, { anchors: [{ iss: anchor.iss, key }], nowSeconds });
  if (isDenial(verified)) {
    problems.push(`evidence.chain: ${verified.detail}`);
    return;
  }
  if (receipt.proof === undefined || typeof request?.pop !== 'string') return;
  const args = argumentsOfProof(request.pop) ?? {};
  const proof = verifyProof(request.pop, verified, {
    tool: receipt.tool,
    args,
    nowSeconds,
    audiences: receipt.audiences.slice(-1),
    audienceRequired: true,
  });
  if (isDenial(proof)) problems.push(`evidence.request: ${proof.detail}`);
  else if (proof.jti !== receipt.proof.jti) problems.push('evidence.request: it is another proof');
}
