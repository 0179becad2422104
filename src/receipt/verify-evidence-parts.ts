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
  isJsonObject,
  type JsonObject,
  jsonEquals,
  parseJsonObject,
} from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type Measurement, parseMeasurement } from '../environment/index.ts';
import { parsePublicJwk } from '../key/index.ts';
import { artifactFactsOf } from './artifact-facts.ts';
import type { BundledExecution, EvidenceBundle } from './bundle.ts';
import { type DecisionReceipt, EVIDENCE_KINDS, type EvidenceKind, isRecordOf } from './decision-receipt.ts';
import { saltedDigest } from './evidence-address.ts';
import type { Findings } from './findings.ts';

const MAX_PROOF_BYTES = 16 * 1024 * 1024;
const SALT_BYTES = 32;

type Part = JsonObject | readonly string[];

/**
 * Verifies that each part of an execution's evidence is the one its receipt was made from, that the artifact says what
 * the receipt repeats of it, and that what was permitted is what it grants. What the receipt names and the bundle lacks
 * is a problem, unless the bundle says that it withholds it.
 */
export function verifyEvidenceParts(
  receipt: DecisionReceipt,
  bundled: BundledExecution,
  evidence: EvidenceBundle['evidence'],
  findings: Findings,
): void {
  const part = (kind: EvidenceKind) => evidenceOf(receipt, evidence, kind);
  for (const kind of EVIDENCE_KINDS) {
    const isThere = part(kind) !== undefined;
    if (bundled.withheld?.includes(kind) === true) {
      if (isThere || receipt.evidence[kind] === undefined) {
        findings.problem(`evidence.${kind}`, 'the bundle says that it is withheld, and it is not');
      } else findings.withhold(kind);
    } else if (receipt.evidence[kind] !== undefined && !isThere) {
      findings.problem(`evidence.${kind}`, 'it is missing');
    }
  }
  const policy = part('policy');
  if (policy !== undefined && digestOf(canonicalize(policy)) !== receipt.policy?.digest) {
    findings.problem('evidence.policy', 'not the bundle the decision was made under');
  }
  const measurement = part('measurement');
  if (measurement !== undefined) verifyMeasurement(receipt, measurement, findings);
  const trustBundle = part('trustBundle');
  if (receipt.workload !== undefined && trustBundle !== undefined) {
    const bundle = isJsonObject(trustBundle) ? trustBundle.bundle : undefined;
    if (!isJsonObject(bundle) || digestOf(canonicalize(bundle)) !== receipt.workload.bundle) {
      findings.problem('evidence.trustBundle', 'not the bundle the workload was verified with');
    }
  }
  const request = part('request');
  verifyRequest(receipt, request, bundled.salt, findings);
  verifyAuthority(receipt, part('chain'), bundled.anchor, request, findings);
}

/** A part of the evidence, under the address that the receipt gives it. */
export function evidenceOf(
  receipt: DecisionReceipt,
  evidence: EvidenceBundle['evidence'],
  kind: EvidenceKind,
): Part | undefined {
  const address = receipt.evidence[kind];
  return address !== undefined && Object.hasOwn(evidence, address) ? evidence[address] : undefined;
}

function verifyMeasurement({ environment }: DecisionReceipt, json: Part, findings: Findings): void {
  const measurement = parseMeasurement(Buffer.from(canonicalize(json)));
  if (
    isDenial(measurement) ||
    measurement.digest !== environment?.digest ||
    !isPossibleAssurance(measurement, environment.assurance) ||
    measurement.measuredAtSeconds !== environment.measuredAtSeconds ||
    !isStated(measurement, json, environment.statement)
  ) {
    findings.problem('evidence.measurement', 'not the environment the decision was made in');
  }
}

/** Receipts from before there were boots say nothing of the whole; no supervisor had seen anything by then. */
function isStated({ bootId, supervision }: Measurement, json: Part, statement: string | undefined): boolean {
  if (statement === undefined) return bootId === undefined && supervision === undefined;
  return digestOf(canonicalize(json)) === statement;
}

/** What is proven of itself; or what its quotes and its supervisor may prove, which whoever decides again can tell. */
function isPossibleAssurance(
  { assurance, quotes = [], supervision }: Measurement,
  recorded: string,
): boolean {
  if (recorded === 'tpm') return quotes.length > 0;
  return recorded === assurance || (recorded === 'supervisor' && supervision !== undefined);
}

/** Tool and arguments are those of the receipt, and where a proof was accepted, those the proof states. */
function verifyRequest(
  receipt: DecisionReceipt,
  request: Part | undefined,
  salt: string | undefined,
  findings: Findings,
): void {
  const problem = (detail: string) => findings.problem('evidence.request', detail);
  if (request === undefined) {
    if (salt !== undefined) findings.problem('salt', 'there is no request that it opens');
    return;
  }
  if (!isJsonObject(request)) {
    problem('it is no request');
    return;
  }
  if (request.tool !== undefined && !isRecordOf(receipt.tool, request.tool)) {
    problem('not the tool the decision was made about');
  }
  const proven = receipt.proof === undefined ? undefined : argumentsOfProof(request.pop);
  if (receipt.proof !== undefined && proven === undefined) {
    problem('it lacks the proof that the decision was made on');
    return;
  }
  // Nothing in the receipt binds a proof that was not accepted.
  if (receipt.proof === undefined && request.pop !== undefined) findings.withhold('proof');
  const args = proven ?? request.args;
  if (!isJsonObject(args)) {
    problem('it holds no arguments');
    return;
  }
  if (request.args !== undefined && !jsonEquals(request.args, args)) {
    problem('its arguments are not those of its proof');
  }
  if (salt === undefined) {
    findings.problem('salt', 'it is missing');
    return;
  }
  const saltBytes = decodeBase64url(salt, 'request.malformed');
  if (isDenial(saltBytes) || saltBytes.byteLength !== SALT_BYTES) {
    findings.problem('salt', 'not 32 bytes of base64url');
  } else if (saltedDigest(saltBytes, canonicalize(args)) !== receipt.arguments) {
    problem('not the arguments the decision was made about');
  }
}

/** The arguments a proof of possession states, its signature aside. */
export function argumentsOfProof(pop: unknown): JsonObject | undefined {
  const { hta } = payloadOfProof(pop);
  return isJsonObject(hta) ? hta : undefined;
}

/** The execution that a proof says its call follows from, its signature aside. */
export function parentOfProof(pop: unknown): string | undefined {
  const { writ } = payloadOfProof(pop);
  return isJsonObject(writ) && typeof writ.parent === 'string' ? writ.parent : undefined;
}

function payloadOfProof(pop: unknown): JsonObject {
  if (typeof pop !== 'string') return {};
  const bytes = decodeBase64url(pop.split('.')[1] ?? '', 'request.malformed');
  if (isDenial(bytes)) return {};
  const payload = parseJsonObject(bytes, 'request.malformed', { maxBytes: MAX_PROOF_BYTES, maxDepth: 128 });
  return isDenial(payload) ? {} : payload;
}

/**
 * The chain is the one the receipt names, the receipt says of it what it says, and it verifies, with its proof, for
 * exactly this call; where the call was permitted, it grants it.
 */
function verifyAuthority(
  receipt: DecisionReceipt,
  chain: Part | undefined,
  anchor: BundledExecution['anchor'],
  request: Part | undefined,
  findings: Findings,
): void {
  const problem = (detail: string) => findings.problem('evidence.chain', detail);
  if (chain === undefined || receipt.artifact === undefined) {
    if (anchor !== undefined) findings.problem('evidence.anchor', 'there is no chain under it');
    // The decision did not accept the chain, so the receipt says nothing that it could be compared with.
    if (chain !== undefined) findings.withhold('chain');
    return;
  }
  if (!isTokens(chain) || digestOf(chain.join('\n')) !== receipt.artifact.digest) {
    problem('not the artifact the decision was made under');
    return;
  }
  if (anchor === undefined) {
    findings.problem('evidence.anchor', 'it is missing');
    return;
  }
  const key = parsePublicJwk(anchor.jwk, 'artifact.malformed');
  const nowSeconds = receipt.atMs / 1000;
  const verified = isDenial(key)
    ? key
    : verifyChain(chain, { anchors: [{ iss: anchor.iss, key }], nowSeconds });
  if (isDenial(verified)) {
    problem(verified.detail);
    return;
  }
  if (!isRecordOf(receipt.artifact, artifactFactsOf(verified))) {
    findings.problem('decision', 'the receipt says of the artifact what it does not say');
  }
  if (receipt.verdict === 'permit') {
    const mismatch = checkAudience(verified, receipt.audiences, { required: true });
    if (mismatch !== undefined) problem(mismatch.detail);
  }
  if (isJsonObject(request)) verifyCall(receipt, verified, request, findings);
}

function isTokens(chain: Part): chain is readonly string[] {
  return Array.isArray(chain);
}

function verifyCall(
  receipt: DecisionReceipt,
  chain: VerifiedChain,
  request: JsonObject,
  findings: Findings,
): void {
  const args = argumentsOfProof(request.pop);
  if (receipt.proof === undefined || args === undefined || typeof request.pop !== 'string') return;
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
    findings.problem('evidence.request', proof.detail);
    return;
  }
  if (!isRecordOf(receipt.proof, { jti: proof.jti, iatSeconds: proof.iatSeconds })) {
    findings.problem('evidence.request', 'it is another proof');
  }
  const parentOf = (parent: string | undefined) => ({ parent: parent ?? null });
  if (receipt.lineage && !isRecordOf(parentOf(receipt.lineage.parent), parentOf(proof.parent))) {
    findings.problem('evidence.request', 'it names another parent');
  }
  if (receipt.verdict !== 'permit') return;
  const ungranted = checkScope(chain, tool, args, nowSeconds);
  if (ungranted !== undefined) findings.problem('evidence.chain', ungranted.detail);
}
