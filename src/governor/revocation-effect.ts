import type { VerifiedChain } from '../artifact/index.ts';
import {
  type GovernanceState,
  handlesOfIssued,
  handlesOfReceipt,
  type RevocationHandles,
  type Revoked,
  revocationHandlesOf,
} from '../governance/index.ts';
import type { DecisionReceipt, OutcomeReceipt } from '../receipt/index.ts';
import type { LoggedDecision } from './lineage-reader.ts';
import { isRevoked } from './parent-fact.ts';

/** A list that may be longer than what is kept of it. */
export interface Counted<T> {
  readonly count: number;
  readonly listed: readonly T[];
}

/** A token that is live and would be no longer. */
export interface TokenAtStake {
  readonly jti: string;
  /** Tokens above it. */
  readonly depth: number;
  /** The agents its key speaks for, or the key. */
  readonly holder: string;
  /** Unix seconds; of a derived token its root's, which it cannot outlive; null where no issuance is on record. */
  readonly expiresBySeconds: number | null;
}

export interface ExecutionAtStake {
  readonly execution: string;
  readonly log: string;
  readonly tool: string;
  readonly agent: string;
  readonly atMs: number;
  readonly outcome: OutcomeReceipt['status'] | null;
}

export interface AgentAtStake {
  readonly agent: string;
  /** Live tokens that end, and root tokens that are left to it. */
  readonly ends: number;
  readonly remains: number;
}

/** What a revocation would stop, as far as the domain's logs know. */
export interface RevocationEffect {
  /** It is revoked already, so nothing would change. */
  readonly already: boolean;
  readonly tokens: Counted<TokenAtStake>;
  readonly agents: readonly AgentAtStake[];
  /** Permits with no outcome: they run and would be stopped, or nobody knows what came of them. */
  readonly running: Counted<ExecutionAtStake>;
  /** Executions that could be named as a parent now, and no longer: whatever would follow from them is denied. */
  readonly parents: Counted<ExecutionAtStake>;
  /** The bundle is the active policy: until another is published every call is denied. */
  readonly isActivePolicy: boolean;
  /** Enforcement points that decided last in the revoked environment: until it changes every call there is denied. */
  readonly enforcementPoints: readonly string[];
}

export interface RevocationContext {
  readonly nowSeconds: number;
  /** Entries of each list. */
  readonly max: number;
  /** Chains at hand that verify now: tokens in them may never have been used. */
  readonly chains?: readonly VerifiedChain[];
}

/** Tokens remembered, so that one is not counted twice. */
const MAX_TOKENS = 200_000;

/**
 * Compares what stands with what would stand after a revocation. Reads alone: nothing is written.
 *
 * @param decisions of all logs, each in order; only what can be affected need be among them (`relevantTexts`).
 */
export function effectOfRevocation(
  state: GovernanceState,
  event: Revoked,
  decisions: Iterable<LoggedDecision>,
  { nowSeconds, max, chains = [] }: RevocationContext,
): RevocationEffect {
  const next = state.apply(event);
  const ends = (handles: RevocationHandles | undefined) =>
    handles !== undefined &&
    state.findRevocation(handles) === undefined &&
    next.findRevocation(handles) !== undefined;
  const tokens = new Map<string, TokenAtStake>();
  const remaining = new Map<string, number>();
  for (const issued of state.issuedArtifacts) {
    if (issued.exp <= nowSeconds || !state.anchors.some(({ iss }) => iss === issued.iss)) continue;
    const handles = handlesOfIssued(issued, state);
    const holder = holderOf(issued.holder, state);
    if (ends(handles)) {
      tokens.set(issued.jti, { jti: issued.jti, depth: 0, holder, expiresBySeconds: issued.exp });
    } else if (state.findRevocation(handles) === undefined) {
      remaining.set(holder, (remaining.get(holder) ?? 0) + 1);
    }
  }
  for (const chain of chains) {
    for (const [depth, { jti, holder, expSeconds }] of chain.tokens.entries()) {
      const above = { ...chain, tokens: chain.tokens.slice(0, depth + 1) };
      if (tokens.has(jti) || !ends(revocationHandlesOf(above, state))) continue;
      const name = holderOf(holder.thumbprint, state);
      tokens.set(jti, { jti, depth, holder: name, expiresBySeconds: expSeconds });
    }
  }
  const running = new Newest<ExecutionAtStake>(max);
  const parents = new Newest<ExecutionAtStake>(max);
  const lastEnvironments = new Map<string, string | undefined>();
  for (const { log, receipt, end } of decisions) {
    lastEnvironments.set(log, receipt.environment?.digest);
    const expiresBySeconds = rootExpiry(receipt, state);
    const isLive = expiresBySeconds === null || expiresBySeconds > nowSeconds;
    if (isLive) addTokens(receipt, expiresBySeconds, { state, ends, tokens });
    if (receipt.verdict !== 'permit') continue;
    const whole = standingHandles(receipt, state);
    const stops = ends(whole);
    const refuses = isLive && !isRevoked(receipt, state) && isRevoked(receipt, next);
    if (!stops && !refuses) continue;
    const outcome = end();
    const execution = {
      execution: receipt.id,
      log,
      tool: receipt.tool,
      agent: receipt.agent ?? receipt.artifact?.holders.at(-1) ?? '',
      atMs: receipt.atMs,
      outcome: outcome?.status ?? null,
    };
    if (stops && outcome === undefined) running.add(execution);
    if (refuses && outcome?.status !== 'terminated') parents.add(execution);
  }
  const listed = [...tokens.values()];
  return {
    already: state.findConflict(event) !== undefined,
    tokens: { count: listed.length, listed: listed.slice(0, max) },
    agents: agentsOf(listed, remaining),
    running: running.counted(),
    parents: parents.counted(),
    isActivePolicy: event.handle === 'policy' && state.policy?.digest === event.value,
    enforcementPoints:
      event.handle === 'environment'
        ? [...lastEnvironments].filter(([, digest]) => digest === event.value).map(([log]) => log)
        : [],
  };
}

/**
 * Texts of which a receipt must have one to be affected; undefined where any may be: a subject is reached through every
 * key that was ever enrolled for it, and where an enforcement point decided last takes all of its decisions.
 */
export function relevantTexts(
  { handle, value }: Revoked,
  state: GovernanceState,
): readonly string[] | undefined {
  if (handle === 'subject' || handle === 'environment') return undefined;
  if (handle === 'policy' && state.policy?.digest === value) return undefined;
  const issuers = state.anchors.filter(({ key }) => key.thumbprint === value).map(({ iss }) => iss);
  return [value, ...issuers];
}

/** What a running execution is checked against again: its chain, and the policy and runtime it goes on under. */
function standingHandles(receipt: DecisionReceipt, state: GovernanceState): RevocationHandles | undefined {
  const chain = handlesOfReceipt(receipt, Number.POSITIVE_INFINITY, state);
  if (chain === undefined) return undefined;
  return {
    ...chain,
    ...(state.policy === undefined ? {} : { policyDigest: state.policy.digest }),
    ...(receipt.environment === undefined ? {} : { environmentDigest: receipt.environment.digest }),
  };
}

/** The tokens of a chain that was used, each with what is above it. */
function addTokens(
  receipt: DecisionReceipt,
  expiresBySeconds: number | null,
  {
    state,
    ends,
    tokens,
  }: {
    readonly state: GovernanceState;
    readonly ends: (handles: RevocationHandles | undefined) => boolean;
    readonly tokens: Map<string, TokenAtStake>;
  },
): void {
  const { artifact } = receipt;
  for (const [depth, jti] of artifact?.tokenIds.entries() ?? []) {
    if (tokens.has(jti) || tokens.size >= MAX_TOKENS) continue;
    if (!ends(handlesOfReceipt(receipt, depth, state))) continue;
    tokens.set(jti, {
      jti,
      depth,
      holder: holderOf(artifact?.holders[depth] ?? '', state),
      expiresBySeconds,
    });
  }
}

function rootExpiry({ artifact }: DecisionReceipt, state: GovernanceState): number | null {
  const [root] = artifact?.tokenIds ?? [];
  return root === undefined ? null : (state.issuedArtifact(root)?.exp ?? null);
}

function holderOf(thumbprint: string, state: GovernanceState): string {
  return state.agentByThumbprint(thumbprint)?.subject ?? thumbprint;
}

function agentsOf(
  tokens: readonly TokenAtStake[],
  remaining: ReadonlyMap<string, number>,
): readonly AgentAtStake[] {
  const ends = new Map<string, number>();
  for (const { holder } of tokens) ends.set(holder, (ends.get(holder) ?? 0) + 1);
  return [...ends]
    .map(([agent, count]) => ({ agent, ends: count, remains: remaining.get(agent) ?? 0 }))
    .sort((left, right) => left.remains - right.remains || (left.agent < right.agent ? -1 : 1));
}

/** Counts all and keeps the newest. */
class Newest<T extends { readonly atMs: number }> {
  #count = 0;
  #kept: T[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(item: T): void {
    this.#count += 1;
    this.#kept.push(item);
    if (this.#kept.length >= 2 * this.#max + 1024) this.#kept = this.#newest();
  }

  counted(): Counted<T> {
    return { count: this.#count, listed: this.#newest() };
  }

  #newest(): T[] {
    return this.#kept.toSorted((left, right) => right.atMs - left.atMs).slice(0, this.#max);
  }
}
