import { digestOf } from '../../codec/index.ts';
import { type ReasonCode, STAGES, type Stage } from '../../denial/index.ts';
import { DECISION_RECEIPT, type DecisionReceipt, type StageVerdict } from '../../receipt/index.ts';

/** What tests choose of a receipt. */
export interface ReceiptDraft {
  readonly id: string;
  readonly atMs: number;
  readonly tool?: string;
  readonly code?: ReasonCode;
  readonly agent?: string;
  readonly initiator?: string;
  readonly owner?: string;
  readonly tokens?: readonly string[];
  readonly root?: string;
  readonly parent?: string;
}

/** A well-formed decision receipt as a governor writes it. */
export function receiptOf(draft: ReceiptDraft): DecisionReceipt {
  const {
    id,
    atMs,
    tool = 'mcp://fs/tools/read_file',
    code,
    agent,
    initiator,
    owner,
    tokens,
    root,
    parent,
  } = draft;
  const failed = code === undefined ? STAGES.length : 3;
  const verdictAt = (at: number): StageVerdict => (at < failed ? 'pass' : at === failed ? 'fail' : 'skip');
  return {
    type: DECISION_RECEIPT,
    id,
    atMs,
    log: 'index.example/execution/fs',
    audiences: ['spiffe://index.example/gateway/fs'],
    tool,
    arguments: `salted-sha256:${'0'.repeat(64)}`,
    verdict: code === undefined ? 'permit' : 'deny',
    ...(code === undefined ? {} : { code, detail: 'not granted' }),
    stages: Object.fromEntries(STAGES.map((stage, at) => [stage, verdictAt(at)])) as Record<
      Stage,
      StageVerdict
    >,
    ...(tokens === undefined
      ? {}
      : {
          artifact: {
            digest: digestOf(tokens.join('\n')),
            issuer: 'spiffe://index.example/issuer',
            tokenIds: tokens,
            tokenHashes: tokens.map((token) => `hash of ${token}`),
            holders: tokens.map((token) => `holder of ${token}`),
            ...(initiator === undefined ? {} : { initiator: { id: initiator, kind: 'human' } }),
            ...(owner === undefined ? {} : { attribution: { owner } }),
          },
        }),
    ...(agent === undefined ? {} : { agent }),
    governance: { size: 6, rootHash: 'AAAA', checkedAtMs: atMs },
    bounds: { maxStalenessSeconds: 10, maxLineageDepth: 32 },
    ...(root === undefined
      ? {}
      : {
          lineage: {
            ...(parent === undefined ? {} : { parent }),
            root,
            depth: parent === undefined ? 0 : 1,
          },
        }),
    evidence: {},
  };
}
