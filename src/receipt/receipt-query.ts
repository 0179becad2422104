import { type Denial, deny, isReasonCode } from '../denial/index.ts';
import type { DecisionReceipt } from './decision-receipt.ts';

/**
 * Which decisions a question is about; each member narrows. Values are compared as a receipt has them, character for
 * character: no wildcards, no case folding, no Unicode normalisation.
 */
export interface ReceiptFilters {
  /** Who acted: the enrolled agent's URI, or the leaf's key thumbprint where no agent is enrolled for it. */
  readonly agent?: string;
  /** On whose authority: the initiator, the owner, or one of those on whose behalf the root was issued. */
  readonly subject?: string;
  readonly tool?: string;
  readonly code?: string;
  /** A token id of the chain, or the digest of the whole chain. */
  readonly artifact?: string;
  /** Executions under this root, itself included. */
  readonly root?: string;
  /** Executions that directly follow from this one. */
  readonly parent?: string;
  readonly verdict?: DecisionReceipt['verdict'];
  /** Decided at or after this time; milliseconds since the epoch. */
  readonly sinceMs?: number;
  /** Decided before this time; milliseconds since the epoch. */
  readonly untilMs?: number;
}

/** By time of decision; equal times by the log's name and then by place in the log. */
export type ReceiptOrder = 'newest-first' | 'oldest-first';

/** The same order reversed, and the same decisions, come out under the other order. */
export interface ReceiptPosition {
  readonly atMs: number;
  /** Index of the entry in its log. */
  readonly index: number;
}

const TEXT_FILTERS = ['agent', 'subject', 'tool', 'code', 'artifact', 'root', 'parent'] as const;
const TIME_FILTERS = ['sinceMs', 'untilMs'] as const;
const KNOWN: ReadonlySet<string> = new Set([...TEXT_FILTERS, ...TIME_FILTERS, 'verdict']);

/** A receipt cuts longer strings, so no longer one stands in any. */
const MAX_FILTER_CHARACTERS = 1024;

/** Checks filters from outside. Unknown members deny: they were meant to narrow. */
export function parseReceiptFilters(input: object): ReceiptFilters | Denial {
  const given: Readonly<Record<string, unknown>> = { ...input };
  const filters: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!KNOWN.has(name)) return deny('request.malformed', 'there is no such filter');
    if (value === undefined) continue;
    if (typeof value !== 'string' && typeof value !== 'number') return malformed(name);
    filters[name] = value;
  }
  for (const name of TEXT_FILTERS) {
    const value = filters[name];
    if (value !== undefined && !isText(value)) return malformed(name);
  }
  for (const name of TIME_FILTERS) {
    const value = filters[name];
    if (value !== undefined && !Number.isSafeInteger(value)) return malformed(name);
  }
  const { verdict, code } = filters;
  if (verdict !== undefined && verdict !== 'permit' && verdict !== 'deny') return malformed('verdict');
  if (code !== undefined && !isReasonCode(code)) return malformed('code');
  return filters;
}

function malformed(name: string): Denial {
  return deny('request.malformed', `the filter ${name} is malformed`);
}

function isText(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MAX_FILTER_CHARACTERS &&
    value.isWellFormed()
  );
}

/** What a receipt can be found by. */
export interface ReceiptFacets {
  /** Empty where nobody is known to have acted. */
  readonly agent: string;
  readonly tool: string;
  /** Empty for a permit. */
  readonly code: string;
  readonly subjects: ReadonlySet<string>;
  readonly artifacts: ReadonlySet<string>;
  readonly root: string;
  readonly parent: string | undefined;
}

export function facetsOf(receipt: DecisionReceipt): ReceiptFacets {
  const { agent, artifact, tool, code, lineage, id } = receipt;
  const { initiator, attribution } = artifact ?? {};
  return {
    agent: agent ?? artifact?.holders.at(-1) ?? '',
    tool,
    code: code ?? '',
    subjects: new Set([
      ...(initiator === undefined ? [] : [initiator.id]),
      ...(attribution === undefined ? [] : [attribution.owner, ...(attribution.onBehalfOf ?? [])]),
    ]),
    artifacts: new Set(artifact === undefined ? [] : [artifact.digest, ...artifact.tokenIds]),
    root: lineage?.root ?? id,
    parent: lineage?.parent,
  };
}

export function matchesFilters(receipt: DecisionReceipt, filters: ReceiptFilters): boolean {
  const facets = facetsOf(receipt);
  const { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = filters;
  return (
    receipt.atMs >= sinceMs &&
    receipt.atMs < untilMs &&
    (filters.verdict === undefined || filters.verdict === receipt.verdict) &&
    (filters.agent === undefined || filters.agent === facets.agent) &&
    (filters.tool === undefined || filters.tool === facets.tool) &&
    (filters.code === undefined || filters.code === facets.code) &&
    (filters.subject === undefined || facets.subjects.has(filters.subject)) &&
    (filters.artifact === undefined || facets.artifacts.has(filters.artifact)) &&
    (filters.root === undefined || filters.root === facets.root) &&
    (filters.parent === undefined || filters.parent === facets.parent)
  );
}
