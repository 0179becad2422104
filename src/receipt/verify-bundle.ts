import { isDenial } from '../denial/index.ts';
import { checkQuorum, ED25519, type NoteVerifier, type WitnessPolicy } from '../tlog/index.ts';
import { type EvidenceBundle, parseBundle } from './bundle.ts';
import { type DecisionReceipt, EVIDENCE_KINDS } from './decision-receipt.ts';
import { Findings } from './findings.ts';
import { KnownLogs } from './known-logs.ts';
import type { OutcomeReceipt } from './outcome-receipt.ts';
import { evidenceOf, parentOfProof, verifyEvidenceParts } from './verify-evidence-parts.ts';
import { type CheckedGovernance, checkGovernanceEntries } from './verify-governance-entries.ts';
import { type LineageLink, verifyAncestors, verifyDescendants } from './verify-lineage-path.ts';
import { type ProvenExecution, proveExecution } from './verify-receipts.ts';

/** What a verifier knows from elsewhere than the bundle. */
export interface BundleKeys {
  /** Keys of execution logs: of the one a bundle is from, at least. */
  readonly logs: readonly NoteVerifier[];
  /** The key that the domain's governance log must be of. */
  readonly governance?: NoteVerifier;
  /** Who must have cosigned every checkpoint in the bundle. */
  readonly witnesses?: WitnessPolicy;
}

export interface ExecutionReport {
  readonly execution?: string;
  /** The bundle is about it; otherwise it is an ancestor of such a one. */
  readonly subject: boolean;
  readonly problems: readonly string[];
  /**
   * What the bundle does not hold of what the receipt names, and what it holds that the receipt does not bind (the chain
   * or proof of a call that was denied before they were accepted): not wrong, but not checked either.
   */
  readonly withheld: readonly string[];
  readonly decision?: DecisionReceipt;
  /** Of a permit without one it is unknown what came of it. */
  readonly outcome?: OutcomeReceipt;
}

export interface BundleReport {
  readonly verified: boolean;
  /** Everything found wrong, each naming its execution (where it is not the one the bundle is about) and part. */
  readonly problems: readonly string[];
  /** The same of what could not be checked. */
  readonly withheld: readonly string[];
  /** What the bundle says it is about. */
  readonly about?: EvidenceBundle['about'];
  /** Those it is about, and their ancestors. */
  readonly executions: readonly ExecutionReport[];
}

const MAX_REPORTED = 200;

/**
 * Verifies a bundle offline (spec/receipt.md §5) with the public key of the log it comes from: that its executions are in
 * their logs, with what came of them; that their lineage reaches the root; that the governance log is the one they
 * stood on; that each part of the evidence is the one the receipt was made from, and that the artifact grants what was
 * permitted. It takes the decision itself on trust: `verifyEvidence` of the governor derives it again.
 */
export function verifyBundle(bytes: string | Uint8Array, keys: BundleKeys): BundleReport {
  const examination = examineBundle(bytes, keys);
  if (!(examination instanceof BundleExamination)) return examination;
  examination.prove();
  examination.check();
  return examination.report();
}

/** An examination to be carried on, or the report on what is no bundle. */
export function examineBundle(
  bytes: string | Uint8Array,
  keys: BundleKeys,
): BundleExamination | BundleReport {
  const bundle = parseBundle(bytes);
  if (!isDenial(bundle)) return new BundleExamination(bundle, keys);
  return { verified: false, problems: [`bundle: ${bundle.detail}`], withheld: [], executions: [] };
}

/** One execution of a bundle under examination. */
export interface ExaminedExecution {
  readonly subject: boolean;
  readonly findings: Findings;
  /** Undefined where it is not in a known log. */
  proven: ProvenExecution | undefined;
  /** Origin of the log whose key is not known. */
  unknownLog: string | undefined;
}

/** A bundle while it is verified: first every execution is proven to be in its log, then the rest is checked. */
export class BundleExamination {
  readonly bundle: EvidenceBundle;
  readonly executions: readonly ExaminedExecution[];
  readonly logs: KnownLogs;
  /** Of the bundle as a whole. */
  readonly findings = new Findings();
  readonly #keys: BundleKeys;

  constructor(bundle: EvidenceBundle, keys: BundleKeys) {
    this.bundle = bundle;
    this.#keys = keys;
    const witnesses = keys.witnesses?.witnesses.map(({ verifier }) => verifier) ?? [];
    this.logs = new KnownLogs(keys.logs, witnesses);
    const isLineage = 'lineage' in bundle.about;
    this.executions = bundle.executions.map((_, at) => ({
      subject: isLineage || at === 0,
      findings: new Findings(),
      proven: undefined,
      unknownLog: '',
    }));
    for (const { type } of [...keys.logs, ...(keys.governance ? [keys.governance] : [])]) {
      if (type !== ED25519) this.findings.problem('log key', 'it is a witness key');
    }
  }

  /** Proves the executions of logs that have become known; false where there was none. */
  prove(): boolean {
    let progress = false;
    for (const [at, examined] of this.executions.entries()) {
      const bundled = this.bundle.executions[at];
      if (examined.unknownLog === undefined || bundled === undefined) continue;
      const proven = proveExecution(bundled, this.logs, examined.findings);
      if (proven !== undefined && 'unknownLog' in proven) {
        examined.unknownLog = proven.unknownLog;
        continue;
      }
      examined.unknownLog = undefined;
      examined.proven = proven;
      progress = true;
    }
    return progress;
  }

  /** Computes the roots of the governance log, and compares those that the proven receipts name. */
  checkGovernance(): CheckedGovernance {
    const { governance: key, witnesses: policy } = this.#keys;
    const receipts = this.executions.flatMap(({ proven }) => (proven ? [proven.decision.receipt] : []));
    const witnesses = policy?.witnesses.map(({ verifier }) => verifier) ?? [];
    const { governance } = this.bundle;
    const sizes = [governance.entries.length, ...receipts.map(({ governance: { size } }) => size)];
    const checked = checkGovernanceEntries(governance, sizes, key, witnesses, this.findings);
    for (const { proven, findings } of this.executions) {
      if (proven === undefined) continue;
      const { size, rootHash } = proven.decision.receipt.governance;
      if (size > checked.entries.length) {
        findings.problem(
          'governance',
          `the decision stood on ${size} entries of it, the bundle holds ${checked.entries.length}`,
        );
      } else if (checked.rootAt(size) !== rootHash) {
        findings.problem('governance', 'its entries are not the log that the decision stood on');
      }
    }
    return checked;
  }

  /** Everything that can be checked without knowing what governance events mean. */
  check(governance: CheckedGovernance = this.checkGovernance()): void {
    for (const { findings, unknownLog } of this.executions) {
      if (unknownLog !== undefined)
        findings.problem('log key', `the key of its log ${unknownLog} is not known`);
    }
    this.#checkWitnesses(governance);
    this.#checkLineage();
    this.#checkEvidence();
  }

  report(): BundleReport {
    const executions = this.executions.map(({ subject, findings, proven }): ExecutionReport => {
      const { problems, withheld } = findings;
      const { decision, outcome } = proven ?? {};
      return {
        subject,
        problems,
        withheld,
        ...(decision && { execution: decision.receipt.id, decision: decision.receipt }),
        ...(outcome && { outcome: outcome.receipt }),
      };
    });
    const told = (of: 'problems' | 'withheld') =>
      executions.flatMap((report, at) =>
        report[of].map((text) => `${this.#label(at, report.execution)}${text}`),
      );
    const all = [...this.findings.problems, ...told('problems')];
    const cut = all.length - MAX_REPORTED;
    return {
      verified: all.length === 0,
      problems: cut > 0 ? [...all.slice(0, MAX_REPORTED), `bundle: ${cut} more problems`] : all,
      withheld: [...this.findings.withheld, ...told('withheld')].slice(0, MAX_REPORTED),
      about: this.bundle.about,
      executions,
    };
  }

  /** The one execution that a bundle is about needs no name. */
  #label(at: number, id: string | undefined): string {
    const isLineage = 'lineage' in this.bundle.about;
    if (!isLineage && at === 0) return '';
    return `${isLineage ? 'execution' : 'ancestor'} ${id ?? `number ${at}`}: `;
  }

  #checkWitnesses(governance: CheckedGovernance): void {
    const policy = this.#keys.witnesses;
    if (policy === undefined) return;
    for (const checkpoint of [...this.logs.checkpoints, governance.checkpoint]) {
      const verdict = checkpoint && checkQuorum(policy, checkpoint.cosignatures);
      if (verdict?.met !== false) continue;
      this.findings.problem('witnesses', `the checkpoint of ${checkpoint?.origin} lacks ${verdict.missing}`);
    }
  }

  #checkLineage(): void {
    const { about, evidence } = this.bundle;
    const links = this.executions.map(({ proven, findings }): LineageLink | undefined => {
      if (proven === undefined) return undefined;
      const { receipt } = proven.decision;
      return { receipt, parent: parentOf(receipt, evidence), findings };
    });
    if ('lineage' in about) {
      verifyDescendants(about.lineage, links);
      return;
    }
    const [subject] = links;
    if (subject !== undefined && subject.receipt.id !== about.execution) {
      subject.findings.problem('decision', `it is of another execution than ${about.execution}`);
    }
    verifyAncestors(links);
  }

  #checkEvidence(): void {
    const { evidence } = this.bundle;
    const named = new Set<string>();
    for (const { subject, proven, findings } of this.executions) {
      if (proven === undefined) continue;
      const { bundled, decision } = proven;
      if (subject) {
        for (const kind of EVIDENCE_KINDS) named.add(decision.receipt.evidence[kind] ?? '');
        verifyEvidenceParts(decision.receipt, bundled, evidence, findings);
      } else if (bundled.anchor !== undefined || bundled.salt !== undefined || bundled.withheld !== undefined)
        findings.problem('evidence', 'an ancestor has none here');
    }
    if (this.executions.some(({ subject, proven }) => subject && proven === undefined)) return;
    for (const address of Object.keys(evidence)) {
      if (!named.has(address)) this.findings.problem('evidence', `${address} is of no execution here`);
    }
  }
}

/** The parent that a receipt names; where it was denied for it, the one that its accepted proof names. */
function parentOf(receipt: DecisionReceipt, evidence: EvidenceBundle['evidence']): string | undefined {
  if (receipt.stages.lineage !== 'fail') return receipt.lineage?.parent;
  const request = evidenceOf(receipt, evidence, 'request');
  return request !== undefined && 'pop' in request ? parentOfProof(request.pop) : undefined;
}
