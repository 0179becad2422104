import {
  checkAudience,
  checkScope,
  type VerifiedChain,
  verifyChain,
  verifyProof,
} from '../artifact/index.ts';
import {
  canonicalize,
  decodeBase64url,
  digestOf,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  jsonEquals,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, isDenial, STAGES } from '../denial/index.ts';
import { parseMeasurement } from '../environment/index.ts';
import { parsePublicJwk } from '../key/index.ts';
import {
  ED25519,
  hashesEqual,
  leafHash,
  type NoteVerifier,
  parseTlogProof,
  type VerifiedInclusion,
  verifyTlogProof,
} from '../tlog/index.ts';
import { artifactFactsOf } from './artifact-facts.ts';
import { type BundledEntry, type EvidenceBundle, parseBundle } from './bundle.ts';
import { type DecisionReceipt, isRecordOf, parseDecisionReceipt } from './decision-receipt.ts';
import { saltedDigest } from './evidence-address.ts';
import { type OutcomeReceipt, parseOutcomeReceipt } from './outcome-receipt.ts';

const MAX_PROOF_BYTES = 16 * 1024 * 1024;
const SALT_BYTES = 32;

export interface BundleReport {
  readonly verified: boolean;
  /** Everything found wrong, each naming its part. Empty when verified. */
  readonly problems: readonly string[];
  /**
   * What the bundle does not hold of what the receipt speaks of, and what it holds that the receipt does not bind (the
   * chain or proof of a call that was denied before they were accepted): not wrong, but not checked either.
   */
  readonly withheld: readonly string[];
  readonly decision?: DecisionReceipt;
  readonly outcome?: OutcomeReceipt;
}

/**
 * Verifies a bundle offline with nothing but the public key of the log it comes from: that decision and outcome are in
 * the log, that they belong together, that each part of the evidence is the one the receipt was made from, and that the
 * artifact grants what was permitted. Policy and environment are compared, not evaluated again: `replayLog` does. The
 * trust anchor is the bundle's own word: who trusts it compares `evidence.anchor` with what they know.
 */
export function verifyBundle(bytes: string | Uint8Array, logKey: NoteVerifier): BundleReport {
  const bundle = parseBundle(bytes);
  if (isDenial(bundle)) return { verified: false, problems: [`bundle: ${bundle.detail}`], withheld: [] };
  const problems: string[] = [];
  const withheld = new Set<string>();
  // A witness's cosignature says that a checkpoint was seen, not that the log made it.
  if (logKey.type !== ED25519) problems.push('log key: it is a witness key');

  const decision = verifyEntry('decision', bundle.decision, logKey, parseDecisionReceipt, problems);
  if (decision === undefined) return { verified: false, problems, withheld: [] };
  const { receipt } = decision;
  if (receipt.log !== logKey.name) problems.push(`decision: the receipt names log ${receipt.log}`);
  findDecisionProblem(receipt, problems);

  const outcome =
    bundle.outcome && verifyEntry('outcome', bundle.outcome, logKey, parseOutcomeReceipt, problems);
  if (outcome !== undefined) verifyOutcome(decision, outcome, problems);
  verifyEvidence(receipt, bundle, problems, withheld);

  return {
    verified: problems.length === 0,
    problems,
    withheld: [...withheld],
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

/**
 * A permit has every stage's yes and what they found; a denial has the yes of the stages before the one that failed, and
 * nothing of those after it.
 */
function findDecisionProblem(receipt: DecisionReceipt, problems: string[]): void {
  const verdicts = STAGES.map((stage) => receipt.stages[stage]);
  if (receipt.verdict === 'permit') {
    if (verdicts.some((verdict) => verdict !== 'pass')) {
      problems.push('decision: a permit with a stage that did not pass');
    }
    for (const part of ['artifact', 'proof', 'policy', 'lineage'] as const) {
      if (receipt[part] === undefined) problems.push(`decision: a permit without its ${part}`);
    }
    return;
  }
  const failed = verdicts.indexOf('fail');
  const inOrder = verdicts.every((verdict, at) =>
    at < failed ? verdict === 'pass' : verdict === (at === failed ? 'fail' : 'skip'),
  );
  if (failed < 0 || !inOrder) {
    problems.push('decision: a denial whose stages are not passed, then one failed, then skipped');
  }
}

function verifyOutcome(
  decision: VerifiedEntry<DecisionReceipt>,
  outcome: VerifiedEntry<OutcomeReceipt>,
  problems: string[],
): void {
  const { receipt, inclusion } = outcome;
  if (receipt.id !== decision.receipt.id) problems.push('outcome: it is of another execution');
  if (receipt.log !== decision.receipt.log) problems.push('outcome: the receipt names another log');
  if (
    receipt.decision.index !== decision.inclusion.index ||
    receipt.decision.leafHash !== encodeBase64url(decision.leaf)
  ) {
    problems.push('outcome: it names another decision');
  }
  if (decision.receipt.verdict !== 'permit') problems.push('outcome: the decision was a denial');
  if (inclusion.index <= decision.inclusion.index)
    problems.push('outcome: it was recorded before its decision');
  // Two checkpoints could be of two histories; nothing in a bundle would tell.
  const { checkpoint } = decision.inclusion;
  if (
    inclusion.checkpoint.size !== checkpoint.size ||
    !hashesEqual(inclusion.checkpoint.rootHash, checkpoint.rootHash)
  ) {
    problems.push('outcome: it is proven under another checkpoint than its decision');
  }
}

function verifyEvidence(
  receipt: DecisionReceipt,
  { evidence, salt }: EvidenceBundle,
  problems: string[],
  withheld: Set<string>,
): void {
  for (const kind of ['request', 'chain', 'policy', 'measurement'] as const) {
    if (receipt.evidence[kind] !== undefined && evidence[kind] === undefined) withheld.add(kind);
  }
  if (evidence.policy !== undefined && digestOf(canonicalize(evidence.policy)) !== receipt.policy?.digest) {
    problems.push('evidence.policy: not the bundle the decision was made under');
  }
  if (evidence.measurement !== undefined) verifyMeasurement(receipt, evidence.measurement, problems);
  verifyRequest(receipt, evidence.request, salt, problems, withheld);
  verifyAuthority(receipt, evidence, problems, withheld);
}

function verifyMeasurement({ environment }: DecisionReceipt, json: JsonObject, problems: string[]): void {
  const measurement = parseMeasurement(Buffer.from(canonicalize(json)));
  if (
    isDenial(measurement) ||
    measurement.digest !== environment?.digest ||
    measurement.assurance !== environment.assurance ||
    measurement.measuredAtSeconds !== environment.measuredAtSeconds
  ) {
    problems.push('evidence.measurement: not the environment the decision was made in');
  }
}

/** Tool and arguments are those of the receipt, and where a proof was accepted, those the proof states. */
function verifyRequest(
  receipt: DecisionReceipt,
  request: JsonObject | undefined,
  salt: string | undefined,
  problems: string[],
  withheld: Set<string>,
): void {
  if (request === undefined) return;
  const problem = (text: string) => problems.push(`evidence.request: ${text}`);
  if (request.tool !== undefined && !isRecordOf(receipt.tool, request.tool)) {
    problem('not the tool the decision was made about');
  }
  const proven = receipt.proof === undefined ? undefined : argumentsOfProof(request.pop);
  if (receipt.proof !== undefined && proven === undefined) {
    problem('it lacks the proof that the decision was made on');
    return;
  }
  // Nothing in the receipt binds a proof that was not accepted.
  if (receipt.proof === undefined && request.pop !== undefined) withheld.add('proof');
  const args = proven ?? request.args;
  if (!isJsonObject(args)) {
    problem('it holds no arguments');
    return;
  }
  if (request.args !== undefined && !jsonEquals(request.args, args)) {
    problem('its arguments are not those of its proof');
  }
  if (salt === undefined) {
    withheld.add('salt');
    return;
  }
  const saltBytes = decodeBase64url(salt, 'request.malformed');
  if (isDenial(saltBytes) || saltBytes.byteLength !== SALT_BYTES) {
    problems.push('salt: not 32 bytes of base64url');
  } else if (saltedDigest(saltBytes, canonicalize(args)) !== receipt.arguments) {
    problem('not the arguments the decision was made about');
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

/**
 * The chain is the one the receipt names, the receipt says of it what it says, and it verifies, with its proof, for
 * exactly this call; where the call was permitted, it grants it.
 */
function verifyAuthority(
  receipt: DecisionReceipt,
  { chain, anchor, request }: EvidenceBundle['evidence'],
  problems: string[],
  withheld: Set<string>,
): void {
  if (chain === undefined) {
    if (anchor !== undefined) problems.push('evidence.anchor: there is no chain under it');
    return;
  }
  if (receipt.artifact === undefined) {
    // The decision did not accept the chain, so the receipt says nothing that it could be compared with.
    withheld.add('chain');
    return;
  }
  if (digestOf(chain.join('\n')) !== receipt.artifact.digest) {
    problems.push('evidence.chain: not the artifact the decision was made under');
    return;
  }
  if (anchor === undefined) {
    withheld.add('anchor');
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
  if (!isRecordOf(receipt.artifact, artifactFactsOf(verified))) {
    problems.push('decision: the receipt says of the artifact what it does not say');
  }
  if (receipt.verdict === 'permit') {
    const mismatch = checkAudience(verified, receipt.audiences, { required: true });
    if (mismatch !== undefined) problems.push(`evidence.chain: ${mismatch.detail}`);
  }
  verifyCall(receipt, verified, request, problems);
}

function verifyCall(
  receipt: DecisionReceipt,
  chain: VerifiedChain,
  request: JsonObject | undefined,
  problems: string[],
): void {
  const args = argumentsOfProof(request?.pop);
  if (receipt.proof === undefined || args === undefined || typeof request?.pop !== 'string') return;
  const tool = typeof request.tool === 'string' ? request.tool : receipt.tool;
  const nowSeconds = receipt.atMs / 1000;
  const proof = verifyProof(request.pop, chain, {
    tool,
    args,
    nowSeconds,
    audiences: receipt.audiences.slice(-1),
    audienceRequired: true,
  });
  if (isDenial(proof)) {
    problems.push(`evidence.request: ${proof.detail}`);
    return;
  }
  if (!isRecordOf(receipt.proof, { jti: proof.jti, iatSeconds: proof.iatSeconds })) {
    problems.push('evidence.request: it is another proof');
  }
  const parentOf = (parent: string | undefined) => ({ parent: parent ?? null });
  if (receipt.lineage && !isRecordOf(parentOf(receipt.lineage.parent), parentOf(proof.parent))) {
    problems.push('evidence.request: it names another parent');
  }
  if (receipt.verdict !== 'permit') return;
  const ungranted = checkScope(chain, tool, args, nowSeconds);
  if (ungranted !== undefined) problems.push(`evidence.chain: ${ungranted.detail}`);
}
