import { z } from 'zod';
import { type Digest, isDigest, type JsonValue } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { isUri } from './uri.ts';
import { DAYS, isTimeZone, type UseWindow } from './window.ts';

/**
 * The profile claim `writ` (spec/artifact.md). Every token of a chain may carry it and each one's `workload`,
 * `environment`, `governance` and `use` are enforced; `initiator` and `attribution` count in the root alone.
 */
export type WritClaim = {
  readonly initiator?: Initiator;
  /** SPIFFE ID of the workload that calls must come from. */
  readonly workload?: string;
  readonly environment?: EnvironmentClaim;
  readonly governance?: GovernanceClaim;
  readonly use?: UseClaim;
  readonly attribution?: Attribution;
};

/** Who set the work in motion. */
export type Initiator = {
  /** URI, a SPIFFE ID where there is one. */
  readonly id: string;
  readonly kind: 'human' | 'agent' | 'workload';
};

/** What the measured runtime must meet. */
export type EnvironmentClaim = {
  /** The measurement's digest must be one of these. */
  readonly digests?: readonly Digest[];
  /** Each must be among the measured components. */
  readonly components?: readonly { readonly kind: string; readonly name: string; readonly digest: Digest }[];
  readonly assurance?: 'self' | 'supervisor' | 'tpm' | 'tee';
  /** Oldest acceptable measurement. */
  readonly maxAgeSeconds?: number;
  /** A TPM must have vouched for it with a quote made for this very artifact. */
  readonly quoteFor?: 'artifact';
};

export type ApprovalClaim = {
  readonly role: string;
  readonly threshold: number;
  /** How long after it was made a request may be decided and used: less than the usual 15 minutes. */
  readonly withinSeconds?: number;
};

export type GovernanceClaim = {
  /** The policy bundle that must be the active one. */
  readonly policy?: { readonly id: string; readonly digest?: Digest };
  readonly approvals?: readonly ApprovalClaim[];
  readonly purpose?: string;
  readonly reference?: string;
  readonly risk?: string;
};

export type UseClaim = {
  readonly maxUses?: number;
  readonly maxDurationSeconds?: number;
  /** The sum of a numeric argument over all permitted calls. */
  readonly budgets?: readonly { readonly argument: string; readonly total: number }[];
  /** The moment of a call must lie in one of these. */
  readonly windows?: readonly UseWindow[];
};

export type Attribution = {
  readonly owner: string;
  readonly onBehalfOf?: readonly string[];
};

const MAX_TEXT_CHARACTERS = 512;
const MAX_ENTRIES = 64;
const MAX_WITHIN_SECONDS = 899;

const MAX_SPIFFE_ID_CHARACTERS = 2048;
/** Of a workload: with a path. What else has to be true of one is seen where it is proven: another spelling equals none. */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)+$/;

const text = z.string().min(1).max(MAX_TEXT_CHARACTERS);
const uri = z.string().refine(isUri);
const digest = z.custom<Digest>(isDigest);
const count = z.int().min(1);

/** An empty list would read as "none of these" to one and as "no restriction" to another: it is refused. */
function list<T extends z.ZodType>(item: T) {
  return z.array(item).min(1).max(MAX_ENTRIES);
}

function distinct<T>(keyOf: (item: T) => string) {
  return (items: readonly T[]): boolean => new Set(items.map(keyOf)).size === items.length;
}

const initiator = z.strictObject({ id: uri, kind: z.enum(['human', 'agent', 'workload']) });

const environment = z.strictObject({
  digests: list(digest).exactOptional(),
  components: list(z.strictObject({ kind: text, name: text, digest })).exactOptional(),
  assurance: z.enum(['self', 'supervisor', 'tpm', 'tee']).exactOptional(),
  maxAgeSeconds: count.exactOptional(),
  quoteFor: z.literal('artifact').exactOptional(),
});

const governance = z.strictObject({
  policy: z.strictObject({ id: text, digest: digest.exactOptional() }).exactOptional(),
  approvals: list(
    z.strictObject({
      role: text,
      threshold: count.max(MAX_ENTRIES),
      withinSeconds: count.max(MAX_WITHIN_SECONDS).exactOptional(),
    }),
  )
    .refine(distinct((approval: { role: string }) => approval.role))
    .exactOptional(),
  purpose: text.exactOptional(),
  reference: text.exactOptional(),
  risk: text.exactOptional(),
});

const use = z.strictObject({
  maxUses: count.exactOptional(),
  maxDurationSeconds: count.exactOptional(),
  budgets: list(z.strictObject({ argument: text, total: z.number().positive().max(Number.MAX_SAFE_INTEGER) }))
    .refine(distinct((budget: { argument: string }) => budget.argument))
    .exactOptional(),
  windows: list(
    z
      .strictObject({
        days: list(z.enum(DAYS)).refine(distinct((day: string) => day)),
        from: z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/),
        to: z.string().regex(/^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/),
        tz: z.string().refine(isTimeZone),
      })
      .refine(({ from, to }) => from !== to),
  ).exactOptional(),
});

const attribution = z.strictObject({ owner: text, onBehalfOf: list(text).exactOptional() });

const schema: z.ZodType<WritClaim> = z.strictObject({
  initiator: initiator.exactOptional(),
  workload: z.string().max(MAX_SPIFFE_ID_CHARACTERS).regex(SPIFFE_ID).exactOptional(),
  environment: environment.exactOptional(),
  governance: governance.exactOptional(),
  use: use.exactOptional(),
  attribution: attribution.exactOptional(),
});

/**
 * Parses the claim strictly: an unknown member anywhere in it denies, since it is a restriction that someone meant.
 * Denies with `artifact.malformed`, naming the member and never its value.
 */
export function parseWritClaim(json: JsonValue): WritClaim | Denial {
  const result = schema.safeParse(json);
  if (result.success) return deepFreeze(result.data);
  const [issue] = result.error.issues;
  const where = ['writ', ...(issue?.path ?? [])].join('.');
  const what = issue?.code === 'unrecognized_keys' ? `unknown member ${issue.keys[0]}` : issue?.code;
  return deny('artifact.malformed', `writ: ${where}: ${what}`);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
