import type { JsonObject } from '../../src/codec/index.ts';
import { buildPolicyBundle, type PolicyBundle, toolDefinitionDigest } from '../../src/policy/index.ts';
import { DELETE, READ, WRITE } from './decision-artifacts.ts';

const PATH = { path: { type: 'string' } } as const;

const DEFINITIONS: Readonly<Record<string, JsonObject>> = {
  [READ]: {
    name: 'read_file',
    inputSchema: { type: 'object', properties: PATH, required: ['path'] },
    annotations: { readOnlyHint: true },
  },
  [WRITE]: {
    name: 'write_file',
    inputSchema: {
      type: 'object',
      properties: { ...PATH, content: { type: 'string' }, amount: { type: 'number' } },
      required: ['path'],
    },
    annotations: { readOnlyHint: false, destructiveHint: false },
  },
  [DELETE]: {
    name: 'delete_file',
    inputSchema: { type: 'object', properties: PATH, required: ['path'] },
  },
};

export function toolDigests(): {
  readonly id: string;
  readonly digest: ReturnType<typeof toolDefinitionDigest>;
}[] {
  return Object.entries(DEFINITIONS).map(([id, definition]) => ({
    id,
    digest: toolDefinitionDigest(definition),
  }));
}

const GIT =
  'forbid (principal, action == Writ::Action::"mcp://fs/tools/write_file", resource) when { context.input.path like "*/.git/*" };';
const OVERFLOW =
  'forbid (principal, action, resource) when { context.artifact.depth > 1 && context.time.epochSeconds * 9000000000000 < 0 };';

const TEXTS: readonly string[] = [
  `permit (principal, action in Writ::Action::"read", resource) when { principal.enrolled };
permit (principal, action in Writ::Action::"write", resource) when { principal.enrolled && context.artifact has purpose };
@approval("operator:2") permit (principal, action in Writ::Action::"destructive", resource) when { principal.enrolled };
${GIT}`,
  `permit (principal, action, resource) when { principal.enrolled };
forbid (principal, action in Writ::Action::"destructive", resource) when { context.lineage.isRoot };
forbid (principal, action, resource) when { context.time.minuteUtc >= 57 };
${GIT}`,
  `permit (principal, action, resource) when { context.artifact.depth < 2 };
permit (principal, action, resource) when { context.environment.measured && context.lineage.depth > 1 };
${OVERFLOW}`,
];

/** One of three policies, made another one by its number; every third knows one tool less. */
export function policyBundle(number: number): PolicyBundle {
  const tools = Object.entries(DEFINITIONS).filter(([id]) => number % 3 !== 2 || id !== DELETE);
  const bundle = buildPolicyBundle({
    id: 'campaign',
    policies: [{ path: 'campaign.cedar', text: `// number ${number}\n${TEXTS[number % 3] ?? ''}\n` }],
    tools: tools.map(([id, definition]) => ({ server: 'fs', id, definition })),
  });
  if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
  return bundle;
}
