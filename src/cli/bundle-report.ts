import type { EvidenceReport, Rederived } from '../governor/index.ts';
import type { Output } from './output.ts';
import { bad, faint, good, warn } from './text.ts';

/** One execution of a bundle, as an auditor asks about it. Nothing of it is verified unless the bundle is. */
export interface ExecutionSummary {
  readonly execution: string;
  /** `subject`: the bundle is about it; `ancestor`: it led to that. */
  readonly role: 'subject' | 'ancestor';
  readonly log: string;
  readonly verdict: 'permit' | 'deny';
  readonly tool: string;
  readonly code?: string;
  readonly outcome?: string;
  readonly at: string;
  readonly initiator?: string;
  readonly issuer?: string;
  /** Holder keys of the chain, root first. */
  readonly holders?: readonly string[];
  readonly agent?: string;
  readonly policy?: {
    readonly id: string;
    readonly digest: string;
    readonly determining?: readonly string[];
  };
  readonly environment?: { readonly digest: string; readonly assurance: string };
  /** How old the knowledge was that nothing is revoked, and of how many events. */
  readonly governance: { readonly size: number; readonly ageMs: number };
  readonly parent?: string;
  readonly depth?: number;
  readonly rederived?: Rederived;
  readonly verified: boolean;
}

/** What verifying a bundle answers, text or JSON. */
export interface BundleSummary {
  readonly verified: boolean;
  readonly problems: readonly string[];
  readonly withheld: readonly string[];
  readonly bytes: number;
  readonly verifyMs: number;
  readonly about?: EvidenceReport['about'];
  readonly execution?: string;
  readonly verdict?: 'permit' | 'deny';
  readonly tool?: string;
  readonly code?: string;
  readonly outcome?: string;
  readonly rederived?: Rederived;
  readonly executions: readonly ExecutionSummary[];
}

export function summaryOf(report: EvidenceReport, bytes: number, verifyMs: number): BundleSummary {
  const { verified, problems, withheld, about } = report;
  const executions = report.executions.flatMap((execution) => executionOf(execution) ?? []);
  const first = about !== undefined && 'execution' in about ? executions[0] : undefined;
  return {
    verified,
    problems,
    withheld,
    bytes,
    verifyMs: Math.round(verifyMs * 100) / 100,
    ...(about && { about }),
    ...(first && {
      execution: first.execution,
      verdict: first.verdict,
      tool: first.tool,
      ...(first.code === undefined ? {} : { code: first.code }),
      ...(first.outcome === undefined ? {} : { outcome: first.outcome }),
      ...(first.rederived === undefined ? {} : { rederived: first.rederived }),
    }),
    executions,
  };
}

function executionOf(report: EvidenceReport['executions'][number]): ExecutionSummary | undefined {
  const { decision, outcome, subject, rederived, problems } = report;
  if (decision === undefined) return undefined;
  const { id, atMs, log, verdict, tool, code, artifact, agent, policy, environment, lineage } = decision;
  const end = outcome?.status ?? (verdict === 'permit' ? 'unknown' : undefined);
  return {
    execution: id,
    role: subject ? 'subject' : 'ancestor',
    log,
    verdict,
    tool,
    ...(code === undefined ? {} : { code }),
    ...(end === undefined ? {} : { outcome: end }),
    at: new Date(atMs).toISOString(),
    ...(artifact?.initiator === undefined ? {} : { initiator: artifact.initiator.id }),
    ...(artifact === undefined ? {} : { issuer: artifact.issuer, holders: artifact.holders }),
    ...(agent === undefined ? {} : { agent }),
    ...(policy === undefined ? {} : { policy }),
    ...(environment && { environment: { digest: environment.digest, assurance: environment.assurance } }),
    governance: { size: decision.governance.size, ageMs: atMs - decision.governance.checkedAtMs },
    ...(lineage?.parent === undefined ? {} : { parent: lineage.parent }),
    ...(lineage === undefined ? {} : { depth: lineage.depth }),
    ...(rederived === undefined ? {} : { rederived }),
    verified: problems.length === 0,
  };
}

export function tellExecution(output: Output, summary: ExecutionSummary): void {
  const { role, execution, verdict, tool, code, outcome, rederived, verified } = summary;
  const mark = verified ? good('✓ ') : bad('✗ ');
  output.line(mark, execution, faint(role === 'ancestor' ? '  ancestor' : ''));
  const row = (label: string, value: string, remark = '') =>
    output.line(faint(`  ${label.padEnd(11)}`), value, faint(remark));
  row('decision', `${verdict} ${tool}${code === undefined ? '' : ` ${code}`}`);
  if (rederived === 'same') output.line(faint('  made again '), good('it comes out the same'));
  if (rederived === 'different') output.line(faint('  made again '), bad('it does not come out the same'));
  if (rederived === 'withheld') output.line(faint('  made again '), warn('not: evidence is withheld'));
  if (outcome !== undefined) row('outcome', outcome);
  if (role === 'ancestor') return;
  const { initiator, issuer, holders, policy, environment, governance, at } = summary;
  if (initiator !== undefined) row('initiator', initiator);
  if (issuer !== undefined) row('authority', [issuer, ...(holders ?? [])].join(' → '));
  if (policy !== undefined) row('policy', policy.id, `  ${policy.digest}`);
  if (policy?.determining !== undefined) row('', policy.determining.join(', '), '  said yes');
  if (environment !== undefined)
    row('environment', environment.digest, `  assurance ${environment.assurance}`);
  row('governance', `${governance.size} events`, `  known ${governance.ageMs} ms before ${at}`);
}
