import type { Delegation, GovernanceRecord, LineageEntry } from './lineage-entry.ts';

export type Row = readonly [label: string, value: string];

export interface Naming {
  /** What a subject is called; its URI where there is no shorter name for it. */
  readonly nameOf: (subject: string) => string;
}

/** An execution in words: one row for each thing that is known of it. Text is as tokens and logs have it: not escaped. */
export function describeEntry(entry: LineageEntry, { nameOf }: Naming): Row[] {
  const { decision, log, index } = entry;
  const rows: Row[] = [['decided', `${timeOf(decision.atMs)}  entry ${index} of ${log}`]];
  if (decision.code !== undefined) rows.push(['denied', decision.code]);
  const determining = entry.policy?.determining ?? [];
  if (determining.length > 0) rows.push(['permitted', `by ${determining.join(', ')}`]);
  rows.push(...describeAuthority(entry, { nameOf }));
  rows.push(['verified', describeVerification(entry)]);
  rows.push(['outcome', describeEnd(entry)]);
  return rows;
}

/** Origin, delegations and policy: what an execution shares with others of the same artifact and policy. */
export function describeAuthority({ origin, delegations, policy }: LineageEntry, { nameOf }: Naming): Row[] {
  const rows: Row[] = [];
  if (origin === undefined) rows.push(['origin', 'no artifact that verifies']);
  else {
    const { issuer, rootToken, initiator, purpose, issuance } = origin;
    const forWhom = initiator === undefined ? '' : ` for ${nameOf(initiator.id)} (${initiator.kind})`;
    rows.push(['origin', `${nameOf(issuer)}${forWhom}  root token ${rootToken}`]);
    if (issuance !== undefined) rows.push(['issued', describeRecord(issuance, nameOf)]);
    if (purpose !== undefined) rows.push(['purpose', purpose]);
    rows.push(['delegated', delegations.map((link) => holderOf(link, nameOf)).join(' → ')]);
  }
  if (policy !== undefined) {
    const { id, digest, published } = policy;
    rows.push(['policy', `${id} ${digest}`]);
    rows.push([
      'published',
      published === undefined ? 'not in the governance log' : describeRecord(published, nameOf),
    ]);
  }
  return rows;
}

/** Who holds a link: every subject its key was enrolled for, or the key. */
export function holderOf({ subjects, holder }: Delegation, nameOf: Naming['nameOf']): string {
  return subjects.length === 0 ? `key ${holder}` : subjects.map(nameOf).join(' or ');
}

export function describeVerification({ verification, end }: LineageEntry): string {
  const { decision, outcome, signedSize } = verification;
  const words = {
    included: `included: its hash is under the signed checkpoint of ${signedSize} entries`,
    witnessed: `witnessed: its hash is under the checkpoint of ${signedSize} entries that the log signed and witnesses cosigned`,
    durable: `durable: no signed checkpoint covers it${signedSize === 0 ? '' : ' yet'}`,
    mismatch: 'NOT what the log signed for: it has been changed',
  } as const;
  if (end === undefined || outcome === undefined || outcome === decision) return words[decision];
  const ofOutcome = {
    included: 'included',
    witnessed: 'witnessed',
    durable: 'durable',
    mismatch: 'NOT of this decision, or changed',
  } as const;
  return `${words[decision]}; its outcome ${ofOutcome[outcome]}`;
}

/** How it ended, in words. */
export function describeEnd({ verdict, end }: LineageEntry): string {
  if (verdict === 'deny') return 'never ran';
  if (end === undefined) return 'none recorded: it runs, or its end is unknown';
  const { status, code, durationMs } = end;
  return `${status}${code === undefined ? '' : ` ${code}`} after ${durationMs} ms`;
}

export function timeOf(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString();
}

function describeRecord({ actor, atSeconds, index }: GovernanceRecord, nameOf: Naming['nameOf']): string {
  return `by ${nameOf(actor)} at ${timeOf(atSeconds * 1000)}  governance entry ${index}`;
}
