import { type Denial, isDenial } from '../denial/index.ts';
import { buildPolicyBundle, type PolicyBundle } from './bundle.ts';
import type { PolicyFacts } from './facts.ts';
import { type PolicyRequest, type PreparedPolicy, preparePolicy } from './prepared-policy.ts';
import type { ToolDefinition } from './tool.ts';

/** A tool with one argument of every representable kind. */
export const TRANSFER: ToolDefinition = {
  server: 'bank',
  id: 'mcp://bank/tools/transfer',
  definition: {
    name: 'transfer',
    inputSchema: {
      type: 'object',
      properties: {
        account: { type: 'string' },
        count: { type: 'integer' },
        amount: { type: 'number' },
        urgent: { type: 'boolean' },
        tags: { type: 'array', items: { type: 'string' } },
        note: { type: 'object', properties: { text: { type: 'string' }, page: { type: 'integer' } } },
        anything: {},
      },
      required: ['account'],
    },
    annotations: { readOnlyHint: false, destructiveHint: false },
  },
};

export const READ: ToolDefinition = {
  server: 'bank',
  id: 'mcp://bank/tools/balance',
  definition: { name: 'balance', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
};

export const FACTS: PolicyFacts = {
  artifact: { issuer: 'spiffe://local/issuer', rootId: 'r1', leafId: 'l1', depth: 1, expiresInSeconds: 300 },
  environment: { measured: true, digest: `sha256:${'0'.repeat(64)}`, assurance: 'self' },
  lineage: { isRoot: true, depth: 0 },
  time: { epochSeconds: 1_700_000_000, hourUtc: 22, minuteUtc: 13, dayOfWeekUtc: 2 },
};

export function request(overrides: Partial<PolicyRequest> = {}): PolicyRequest {
  return {
    principal: { id: 'spiffe://local/agent/demo', enrolled: true, thumbprint: 'T'.repeat(43) },
    tool: TRANSFER.id,
    input: { account: 'a-1' },
    facts: FACTS,
    ...overrides,
  };
}

export function bundleOf(text: string, tools: readonly ToolDefinition[] = [TRANSFER, READ]): PolicyBundle {
  const bundle = buildPolicyBundle({ id: 'test', policies: [{ path: 'test.cedar', text }], tools });
  if (Array.isArray(bundle)) throw new TypeError(JSON.stringify(bundle));
  return bundle;
}

export function prepared(text: string, tools?: readonly ToolDefinition[]): PreparedPolicy {
  return preparePolicy(bundleOf(text, tools));
}

/** `permit`, or the denial's code. */
export function outcome(result: { determining: readonly string[] } | Denial): string {
  return isDenial(result) ? result.code : 'permit';
}
