import { z } from 'zod';
import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { isReasonCode, type ReasonCode } from '../denial/index.ts';

/** A case that people write beside their policies: what is given, and what must come of it (spec/policy.md, cases). */
export interface PolicyCase {
  readonly name: string;
  readonly given: {
    /** Name or URI of the agent. */
    readonly agent: string;
    readonly enrolled?: boolean;
    readonly tool: string;
    readonly input?: JsonObject;
    /** ISO 8601 with a time zone. */
    readonly time?: string;
    readonly environment?: {
      readonly measured?: boolean;
      readonly digest?: string;
      readonly assurance?: string;
    };
    readonly lineage?: { readonly depth?: number; readonly parentTool?: string };
    readonly artifact?: {
      readonly issuer?: string;
      readonly depth?: number;
      readonly initiator?: { readonly id: string; readonly kind: string };
      readonly owner?: string;
      readonly purpose?: string;
      readonly reference?: string;
      readonly risk?: string;
      readonly expiresInSeconds?: number;
    };
  };
  readonly expect: {
    readonly verdict: 'permit' | ReasonCode;
    /** Exactly the policies that decide it. */
    readonly determining?: readonly string[];
    /** Exactly the approvals a permit asks for, as `role:threshold`. */
    readonly approvals?: readonly string[];
  };
}

const MAX_CASES = 10_000;
const text = z.string().min(1).max(2048);
const count = z.int().min(0).max(1000);
const time = z.iso.datetime({ offset: true });
const POLICY_CODES = ['policy.forbidden', 'policy.not_permitted', 'policy.evaluation_failed'];
const verdict = z
  .custom<'permit' | ReasonCode>(
    (value) => value === 'permit' || (isReasonCode(value) && POLICY_CODES.includes(value)),
  )
  .describe(`permit, ${POLICY_CODES.join(', ')}`);

const environment = z.strictObject({
  measured: z.boolean().exactOptional(),
  digest: text.exactOptional(),
  assurance: z.enum(['none', 'self', 'supervisor', 'tpm', 'tee']).exactOptional(),
});
const lineage = z.strictObject({ depth: count.exactOptional(), parentTool: text.exactOptional() });
const artifact = z.strictObject({
  issuer: text.exactOptional(),
  depth: count.exactOptional(),
  initiator: z.strictObject({ id: text, kind: z.enum(['human', 'agent', 'workload']) }).exactOptional(),
  owner: text.exactOptional(),
  purpose: text.exactOptional(),
  reference: text.exactOptional(),
  risk: text.exactOptional(),
  expiresInSeconds: z.int().min(-4_000_000_000).max(4_000_000_000).exactOptional(),
});
const given = z.strictObject({
  agent: text,
  enrolled: z.boolean().exactOptional(),
  tool: text,
  input: z.custom<JsonObject>(isJsonObject).exactOptional(),
  time: time.exactOptional(),
  environment: environment.exactOptional(),
  lineage: lineage.exactOptional(),
  artifact: artifact.exactOptional(),
});
const expected = z.strictObject({
  verdict,
  determining: z.array(text).max(1000).exactOptional(),
  approvals: z.array(z.string().regex(/^[a-z][a-z0-9_-]{0,63}:[1-9]\d?$/)).exactOptional(),
});
const policyCase = z.strictObject({ name: text, given, expect: expected });
const file = z.strictObject({ cases: z.array(policyCase).min(1).max(MAX_CASES) });

/** Members by the place of the object that has them; list positions do not count. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(file.shape),
  cases: Object.keys(policyCase.shape),
  'cases.given': Object.keys(given.shape),
  'cases.given.environment': Object.keys(environment.shape),
  'cases.given.lineage': Object.keys(lineage.shape),
  'cases.given.artifact': Object.keys(artifact.shape),
  'cases.given.artifact.initiator': ['id', 'kind'],
  'cases.expect': Object.keys(expected.shape),
};

/** Parses a file of cases. Where it is wrong, says where and how, naming the member that a misspelt one is nearest to. */
export function parsePolicyCases(json: JsonValue): readonly PolicyCase[] | string {
  const result = file.safeParse(json);
  if (!result.success) return describe(result.error.issues[0]);
  const names = new Set<string>();
  for (const { name } of result.data.cases) {
    if (names.has(name)) return `two cases are called "${name}"`;
    names.add(name);
  }
  return result.data.cases;
}

function describe(issue: z.core.$ZodIssue | undefined): string {
  const path = issue?.path ?? [];
  const where = path.length === 0 ? '' : `${path.join('.')}: `;
  if (issue?.code !== 'unrecognized_keys') return `${where}${issue?.message ?? 'malformed'}`;
  const [key = ''] = issue.keys;
  const members = MEMBERS[path.filter((step) => typeof step === 'string').join('.')] ?? [];
  const [nearest] = [...members].sort((left, right) => distance(key, left) - distance(key, right));
  const hint = nearest === undefined ? '' : `, did you mean "${nearest}"?`;
  return `${where}unknown member ${JSON.stringify(key.slice(0, 64))}${hint}`;
}

/** Edits between two words (Levenshtein), the first 64 characters of them. */
function distance(left: string, right: string): number {
  const [from, to] = [left.slice(0, 64), right.slice(0, 64)];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
