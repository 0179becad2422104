import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import { type Denial, deny } from '../denial/index.ts';

/** What earlier stages established, as policies see it. Every number is an integer. */
export interface PolicyFacts {
  readonly artifact: {
    /** `iss` of the root token. */
    readonly issuer: string;
    /** `jti` of the root and leaf tokens. */
    readonly rootId: string;
    readonly leafId: string;
    /** Delegation depth of the leaf; 0 is the root itself. */
    readonly depth: number;
    readonly initiator?: { readonly id: string; readonly kind: string } | undefined;
    readonly owner?: string | undefined;
    readonly purpose?: string | undefined;
    readonly reference?: string | undefined;
    readonly risk?: string | undefined;
    /** Until the leaf ends. Fractions are floored. */
    readonly expiresInSeconds: number;
  };
  readonly environment: {
    readonly measured: boolean;
    readonly digest?: string | undefined;
    /** Assurance of the measurement; `none` when nothing was measured. */
    readonly assurance: string;
  };
  readonly lineage: {
    readonly isRoot: boolean;
    readonly depth: number;
    readonly parentTool?: string | undefined;
  };
  readonly time: TimeFacts;
}

export interface TimeFacts {
  readonly epochSeconds: number;
  readonly hourUtc: number;
  readonly minuteUtc: number;
  /** 0 is Sunday. */
  readonly dayOfWeekUtc: number;
}

const SECONDS_PER_DAY = 86_400;
/** 1970-01-01 was a Thursday. */
const EPOCH_DAY_OF_WEEK = 4;

/** The time facts of a Unix time; fractions of a second are floored. */
export function timeFacts(nowSeconds: number): TimeFacts {
  const epochSeconds = Math.floor(nowSeconds);
  const day = Math.floor(epochSeconds / SECONDS_PER_DAY);
  const second = epochSeconds - day * SECONDS_PER_DAY;
  return {
    epochSeconds,
    hourUtc: Math.floor(second / 3600),
    minuteUtc: Math.floor((second % 3600) / 60),
    dayOfWeekUtc: (((day + EPOCH_DAY_OF_WEEK) % 7) + 7) % 7,
  };
}

/** The facts as context members of the schema's types, or `policy.evaluation_failed` when one isn't of its type. */
export function toCedarFacts(facts: PolicyFacts): Record<string, CedarValueJson> | Denial {
  const { artifact, environment, lineage, time } = facts;
  const required = [
    isText(artifact.issuer) && isText(artifact.rootId) && isText(artifact.leafId),
    Number.isSafeInteger(artifact.depth) && Number.isFinite(artifact.expiresInSeconds),
    typeof environment.measured === 'boolean' && isText(environment.assurance),
    typeof lineage.isRoot === 'boolean' && Number.isSafeInteger(lineage.depth),
    Number.isSafeInteger(time.epochSeconds) && Number.isSafeInteger(time.hourUtc),
    Number.isSafeInteger(time.minuteUtc) && Number.isSafeInteger(time.dayOfWeekUtc),
  ];
  if (required.includes(false)) return deny('policy.evaluation_failed', 'a fact is not of its type');

  const artifactFacts: Record<string, CedarValueJson> = {
    issuer: artifact.issuer,
    rootId: artifact.rootId,
    leafId: artifact.leafId,
    depth: artifact.depth,
    expiresInSeconds: Math.floor(artifact.expiresInSeconds),
  };
  const { initiator } = artifact;
  if (initiator !== undefined) {
    if (!isText(initiator.id) || !isText(initiator.kind)) {
      return deny('policy.evaluation_failed', 'fact initiator is not of its type');
    }
    artifactFacts.initiator = { id: initiator.id, kind: initiator.kind };
  }
  const environmentFacts: Record<string, CedarValueJson> = {
    measured: environment.measured,
    assurance: environment.assurance,
  };
  const lineageFacts: Record<string, CedarValueJson> = { isRoot: lineage.isRoot, depth: lineage.depth };
  const optional: [Record<string, CedarValueJson>, string, string | undefined][] = [
    [artifactFacts, 'owner', artifact.owner],
    [artifactFacts, 'purpose', artifact.purpose],
    [artifactFacts, 'reference', artifact.reference],
    [artifactFacts, 'risk', artifact.risk],
    [environmentFacts, 'digest', environment.digest],
    [lineageFacts, 'parentTool', lineage.parentTool],
  ];
  for (const [target, name, value] of optional) {
    if (value === undefined) continue;
    if (!isText(value)) return deny('policy.evaluation_failed', `fact ${name} is not of its type`);
    target[name] = value;
  }
  return {
    artifact: artifactFacts,
    environment: environmentFacts,
    lineage: lineageFacts,
    time: {
      epochSeconds: time.epochSeconds,
      hourUtc: time.hourUtc,
      minuteUtc: time.minuteUtc,
      dayOfWeekUtc: time.dayOfWeekUtc,
    },
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed();
}
