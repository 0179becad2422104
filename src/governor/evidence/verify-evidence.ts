import { ChainCache } from '../../artifact/index.ts';
import { canonicalize, decodeBase64url } from '../../codec/index.ts';
import { decide, type Snapshot } from '../../decision/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { PreparedPolicy } from '../../policy/index.ts';
import {
  type BundledExecution,
  BundleExamination,
  type BundleKeys,
  type BundleReport,
  type CheckedGovernance,
  type DecisionReceipt,
  type ExecutionReport,
  evidenceOf,
  examineBundle,
  type Findings,
  type ProvenExecution,
  type SaltedDigest,
  saltedDigest,
} from '../../receipt/index.ts';
import { parseVkey } from '../../tlog/index.ts';
import { findDifference } from '../replay/find-difference.ts';
import {
  actionOfReceipt,
  isMissing,
  type Missing,
  measurementOfReceipt,
  policyOfReceipt,
  type ReceiptEvidence,
  recordedApprovals,
  snapshotOfReceipt,
  trustBundlesOfReceipt,
} from '../replay/inputs-of-receipt.ts';
import { isEnrolled, parentAmong } from './bundled-parents.ts';
import { FoldedGovernance, GovernanceStates } from './folded-governance.ts';

/** `withheld`: the bundle lacks what the decision was made on, and nothing is guessed. */
export type Rederived = 'same' | 'different' | 'withheld';

export interface EvidenceExecutionReport extends ExecutionReport {
  /** How the decision came out when it was made again. Absent for an ancestor, and where there is no proven decision. */
  readonly rederived?: Rederived;
}

export interface EvidenceReport extends BundleReport {
  readonly executions: readonly EvidenceExecutionReport[];
}

const SALT_BYTES = 32;
const MAX_POLICIES = 16;
const MAX_CHAINS = 1024;

/**
 * Verifies bundles as `verifyBundle` does, and makes every decision again: the governance log is folded, so that it is
 * known who might issue, who held which key, which policy was in force and what was revoked; then `decide` must say
 * again what the receipt says (spec/receipt.md §5). One verifier serves many bundles: it remembers what it has parsed.
 */
export class EvidenceVerifier {
  readonly #keys: BundleKeys;
  readonly #chains = new ChainCache(MAX_CHAINS);
  readonly #policies = new Map<string, PreparedPolicy>();
  readonly #states = new GovernanceStates();

  constructor(keys: BundleKeys) {
    this.#keys = keys;
  }

  /** Never throws, whatever the bytes are. */
  verify(bytes: string | Uint8Array): EvidenceReport {
    try {
      const examination = examineBundle(bytes, this.#keys);
      return examination instanceof BundleExamination ? this.#verify(examination) : examination;
    } catch {
      // Depth and size are bounded before; whatever is left is not verified.
      return { verified: false, problems: ['bundle: verifying it failed'], withheld: [], executions: [] };
    }
  }

  #verify(examination: BundleExamination): EvidenceReport {
    examination.prove();
    let checked = examination.checkGovernance();
    let folded = new FoldedGovernance(checked, this.#states);
    while (learnKeys(examination, checked, folded) && examination.prove()) {
      checked = examination.checkGovernance();
      folded = new FoldedGovernance(checked, this.#states);
    }
    examination.check(checked);
    checkDomain(examination, checked, folded);
    const proven = new Map<string, ProvenExecution>();
    for (const { proven: execution } of examination.executions) {
      if (execution !== undefined) proven.set(execution.decision.receipt.id, execution);
    }
    const rederived = examination.executions.map((execution, at) =>
      execution.subject ? this.#rederive(examination, at, proven, folded) : undefined,
    );
    const report = examination.report();
    return {
      ...report,
      executions: report.executions.map((execution, at) => {
        const how = rederived[at];
        return how === undefined ? execution : { ...execution, rederived: how };
      }),
    };
  }

  #rederive(
    { bundle, logs, executions: examined }: BundleExamination,
    at: number,
    executions: ReadonlyMap<string, ProvenExecution>,
    folded: FoldedGovernance,
  ): Rederived | undefined {
    const [execution, bundled] = [examined[at], bundle.executions[at]];
    if (execution?.proven === undefined || bundled === undefined) return undefined;
    const { proven, findings } = execution;
    const { receipt, index } = proven.decision;
    // Its entries are not the decision's: that has been said.
    if (findings.problems.some((problem) => problem.startsWith('governance: '))) return 'different';
    const governance = folded.at(receipt.governance.size);
    if (isDenial(governance)) {
      findings.problem('governance', governance.detail);
      return 'different';
    }
    const { logSize = index } = receipt.bounds;
    if (!(logSize >= 0 && logSize <= index)) {
      findings.problem('decision', 'it knows more of its log than was there');
    }
    const evidence: ReceiptEvidence = (kind) => {
      const part = evidenceOf(receipt, bundle.evidence, kind);
      return part === undefined ? 'withheld' : Buffer.from(canonicalize(part));
    };
    const inputs = this.#inputsOf(receipt, evidence);
    if (isMissing(inputs)) return 'withheld';
    if (isDenial(inputs)) {
      findings.problem('decision', inputs.detail);
      return 'different';
    }
    const { action, policy, measurement, trustBundles } = inputs;
    const findParent = parentAmong(executions, logs, proven, governance);
    const cache = this.#chains;
    const digestOfAction = actionDigester(receipt, bundled, evidence('request'), findings);
    const findApprovals = recordedApprovals(receipt, governance, digestOfAction);
    const parts = {
      governance,
      policy,
      measurement,
      findParent,
      findApprovals,
      cache,
      ...(trustBundles && { trustBundles }),
    };
    const snapshot = { ...snapshotOfReceipt(receipt, parts), ...replayVerdictOf(receipt) };
    // No bundle can show that a proof was used before: that is the log's word.
    if (receipt.stages.replay === 'fail') findings.withhold('replay');
    const decision = decide(action, snapshot);
    const difference = findDifference(receipt, action, snapshot, decision);
    if (difference === undefined) return 'same';
    findings.problem('decision', `made again it comes out otherwise: ${difference}`);
    return 'different';
  }

  #inputsOf(receipt: DecisionReceipt, evidence: ReceiptEvidence) {
    const action = actionOfReceipt(receipt, evidence);
    if (isMissing(action) || isDenial(action)) return action;
    const policy = this.#policyOf(receipt, evidence);
    if (isMissing(policy)) return policy;
    const measurement = measurementOfReceipt(receipt, evidence);
    if (isMissing(measurement)) return measurement;
    const trustBundles = trustBundlesOfReceipt(receipt, evidence);
    return isMissing(trustBundles) ? trustBundles : { action, policy, measurement, trustBundles };
  }

  #policyOf(receipt: DecisionReceipt, evidence: ReceiptEvidence): PreparedPolicy | undefined | Missing {
    const digest = receipt.policy?.digest;
    const known = digest === undefined ? undefined : this.#policies.get(digest);
    if (known !== undefined && !isMissing(evidence('policy'))) return known;
    const policy = policyOfReceipt(receipt, evidence);
    if (digest !== undefined && policy !== undefined && !isMissing(policy)) {
      if (this.#policies.size >= MAX_POLICIES) this.#policies.clear();
      this.#policies.set(digest, policy);
    }
    return policy;
  }
}

/** Verifies one bundle; see {@link EvidenceVerifier}. */
export function verifyEvidence(bytes: string | Uint8Array, keys: BundleKeys): EvidenceReport {
  return new EvidenceVerifier(keys).verify(bytes);
}

/**
 * Takes the keys of further logs from the governance log, as far as something vouches for it: the key the verifier was
 * given, or the receipts of a log that is known. INVARIANT: nobody enrolls a log here by the bundle's word alone.
 */
function learnKeys(
  { bundle, executions, logs }: BundleExamination,
  { entries, expected, rootAt }: CheckedGovernance,
  folded: FoldedGovernance,
): boolean {
  const unknown = new Set(executions.flatMap(({ unknownLog }) => unknownLog ?? []));
  if (unknown.size === 0) return false;
  const vouched = executions.flatMap(({ proven }) => {
    if (proven === undefined) return [];
    const { size, rootHash } = proven.decision.receipt.governance;
    return rootAt(size) === rootHash ? [size] : [];
  });
  if (expected) vouched.push(entries.length);
  if (vouched.length === 0 || bundle.governance.entries.length === 0) return false;
  const state = folded.at(Math.max(...vouched));
  if (isDenial(state)) return false;
  let learned = false;
  for (const origin of unknown) {
    for (const vkey of state.logByOrigin(origin)?.vkeys ?? []) {
      const key = parseVkey(vkey);
      if (!isDenial(key) && logs.add(key)) learned = true;
    }
  }
  return learned;
}

/** Every log is one that the domain has enrolled, and the governance log is that domain's. */
function checkDomain(
  { findings, executions, logs }: BundleExamination,
  { entries, vkey }: CheckedGovernance,
  folded: FoldedGovernance,
): void {
  const state = folded.at(entries.length);
  if (isDenial(state)) {
    findings.problem('governance', state.detail);
    return;
  }
  if (!vkey.startsWith(`${state.domain}/governance+`)) {
    findings.problem('governance', `it is signed for another domain than ${state.domain}`);
  }
  for (const { proven, findings: own } of executions) {
    if (proven === undefined || isEnrolled(logs, proven.decision.log, state)) continue;
    own.problem('log key', `the domain has not enrolled log ${proven.decision.log} with it`);
  }
}

/** Makes the digest that approvals of the action name, from the salt that goes with its arguments. */
function actionDigester(
  { approvals }: DecisionReceipt,
  { actionSalt }: BundledExecution,
  request: Uint8Array | Missing,
  findings: Findings,
): ((canonicalAction: string) => SaltedDigest) | undefined {
  const isNeeded = approvals !== undefined && !isMissing(request);
  if (actionSalt === undefined) {
    if (isNeeded) findings.problem('evidence.approvals', 'the salt of the action is missing');
    return undefined;
  }
  const salt = decodeBase64url(actionSalt, 'request.malformed');
  if (!isNeeded || isDenial(salt) || salt.byteLength !== SALT_BYTES) {
    findings.problem('evidence.approvals', 'the salt of the action opens nothing');
    return undefined;
  }
  return (canonicalAction) => saltedDigest(salt, canonicalAction);
}

/** What the log's transaction said: a denial for it shows which. */
function replayVerdictOf({ stages, code }: DecisionReceipt): Partial<Pick<Snapshot, 'replay'>> {
  if (stages.replay !== 'fail') return {};
  if (code === 'replay.detected') return { replay: 'used' };
  return code === 'scope.use_exhausted' ? { replay: 'exhausted' } : {};
}
