import { STAGES } from '../denial/index.ts';
import type { DecisionReceipt, OutcomeReceipt } from '../receipt/index.ts';
import { type GovernanceFacts, type LineageEntry, lineageEntryOf } from './lineage-entry.ts';

export const NOTHING_KNOWN: GovernanceFacts = {
  subjectsOf: () => [],
  publicationOf: () => undefined,
  issuanceOf: () => undefined,
};

/** A UUID for a small number. */
export function idOf(number: number): string {
  return `01a20653-7096-72e5-abd0-${number.toString(16).padStart(12, '0')}`;
}

export interface EntryChange {
  readonly id?: string;
  readonly parent?: string;
  readonly root?: string;
  readonly decision?: Partial<DecisionReceipt>;
  readonly end?: Partial<OutcomeReceipt> | null;
  readonly log?: string;
}

/** A permitted execution that succeeded, with what a test changes of it. */
export function entryOf(change: EntryChange = {}, governance = NOTHING_KNOWN): LineageEntry {
  const { id = idOf(1), parent, root = parent ?? id, log = 'fs' } = change;
  const decision: DecisionReceipt = {
    type: 'writ/decision@v1',
    id,
    atMs: 1_700_000_000_123,
    log: `test.local/execution/${log}`,
    audiences: ['spiffe://test.local/gateway', 'spiffe://test.local/gateway/fs'],
    tool: 'mcp://fs/tools/read_file',
    arguments: `salted-sha256:${'0'.repeat(64)}`,
    verdict: 'permit',
    stages: Object.fromEntries(STAGES.map((stage) => [stage, 'pass'])) as DecisionReceipt['stages'],
    artifact: {
      digest: `sha256:${'a'.repeat(64)}`,
      issuer: 'spiffe://test.local/issuer',
      tokenIds: ['root-token', 'leaf-token'],
      tokenHashes: ['h1', 'h2'],
      holders: ['key-one', 'key-two'],
      initiator: { id: 'spiffe://test.local/user/ada', kind: 'human' },
    },
    agent: 'spiffe://test.local/agent/writer',
    policy: { id: 'default', digest: `sha256:${'b'.repeat(64)}`, determining: ['all'] },
    governance: { size: 7, rootHash: 'r', checkedAtMs: 1_700_000_000_000 },
    bounds: { maxStalenessSeconds: 10, maxLineageDepth: 32 },
    lineage: { ...(parent === undefined ? {} : { parent }), root, depth: parent === undefined ? 0 : 1 },
    evidence: {},
    ...change.decision,
  };
  const end: OutcomeReceipt = {
    type: 'writ/outcome@v1',
    id,
    atMs: 1_700_000_000_456,
    log: decision.log,
    decision: { index: 3, leafHash: 'leaf' },
    status: 'succeeded',
    durationMs: 12.5,
    result: { digest: `salted-sha256:${'c'.repeat(64)}`, bytes: 6 },
    ...change.end,
  };
  const ended = decision.verdict === 'permit' && change.end !== null;
  return lineageEntryOf(
    {
      log,
      index: 3,
      leafHash: 'leaf',
      decision,
      ...(ended ? { end } : {}),
      verification: { decision: 'included', signedSize: 9, ...(ended ? { outcome: 'included' } : {}) },
    },
    governance,
  );
}

/** Texts that mean something to XML, DOT, JSON, terminals or readers from right to left. */
export const HOSTILE = [
  '</text><script>alert(1)</script>',
  '" onload="alert(1)',
  "' onclick='x'",
  ']]><!ENTITY x SYSTEM "file:///etc/passwd">&x;',
  '"]; attack -> "x" [label="\\N \\l &lt;b&gt;',
  'back\\',
  '\u001b[2J\u0000\u0085\u2028\ufffe',
  '\u202egnp.exe',
  '\ud800lone',
  '<b>bold</b>',
];
