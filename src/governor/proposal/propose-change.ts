import { readToken } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import type { Action, Snapshot } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type BundleInput, buildPolicyBundle, type PolicyBundle, preparePolicy } from '../../policy/index.ts';
import type { DecisionReceipt } from '../../receipt/index.ts';
import { exactGrant } from './exact-grant.ts';
import { type ExactPolicy, exactPolicy } from './exact-policy.ts';
import { neighboursOf } from './neighbours.ts';
import { PASSES, type ProposedGrant, Trial } from './trial.ts';

/** The narrowest change under which a denied call would pass scope and policy. */
export interface Proposal {
  readonly tool: string;
  readonly args: JsonObject;
  /** The enrolled agent that asked, and the thumbprint of its key. */
  readonly holder: string;
  readonly holderThumbprint: string;
  /** The artifact to issue, and what the presented one granted. */
  readonly artifact?: {
    readonly before: { readonly [tool: string]: JsonObject };
    readonly grant: ProposedGrant;
    /** The tool was granted with other arguments: this artifact stands beside the other, since one map cannot say both. */
    readonly apart: boolean;
  };
  /** The policy to add. */
  readonly policy?: ExactPolicy & { readonly bundle: PolicyBundle };
  /** What deciding the call again under it says: `permit`, or `approval.required`. */
  readonly asked: string;
  /** What deciding the calls next to it says. `opened`: it would pass, and did not before; none should. */
  readonly neighbours: readonly {
    readonly change: string;
    readonly code: string;
    readonly opened: boolean;
  }[];
}

const SCOPE_CODES: readonly string[] = ['scope.tool_not_granted', 'scope.arguments_not_granted'];
const MAX_OTHER_TOOLS = 3;

/**
 * Proposes what would have permitted a denied call and nothing beside it, and shows that by deciding again: the call itself, and
 * its neighbours. Signs and writes nothing.
 *
 * @param snapshot what the call would be decided on now.
 * @returns a denial where no such change exists, or would not be enough.
 */
export function proposeChange(
  receipt: DecisionReceipt,
  action: Action,
  snapshot: Snapshot,
  iss: string,
): Proposal | Denial {
  const { tool, args, presentation } = action;
  const { code, artifact } = receipt;
  if (code === undefined || !(SCOPE_CODES.includes(code) || code === 'policy.not_permitted')) {
    return deny('request.malformed', adviceOn(code));
  }
  if (artifact === undefined || presentation === undefined || isDenial(presentation)) {
    return deny('request.malformed', 'the receipt names no artifact');
  }
  const [root = '', ...derived] = presentation.aat_chain;
  if (derived.length > 0) {
    return deny(
      'request.malformed',
      'the artifact was handed on: whoever handed it on grants more of what they have',
    );
  }
  const token = readToken(root);
  if (isDenial(token)) return token;
  const before = toolsOf(token.toolsJson);
  const base = { audiences: token.audiences ?? receipt.audiences.slice(0, 1), writ: token.writ };
  const agent = snapshot.governance.agentByThumbprint(token.holder.thumbprint)?.subject;
  if (agent === undefined)
    return deny('request.malformed', 'who holds the artifact is not enrolled as an agent');
  const trial = new Trial(action, snapshot, { iss, agent });
  const call = { tool, args };

  let grant: ProposedGrant = { ...base, tools: before };
  const apart = Object.hasOwn(before, tool);
  if (SCOPE_CODES.includes(code)) {
    const exact = exactGrant(args);
    if (exact === undefined)
      return deny('request.malformed', 'an argument named "*" cannot be granted by itself');
    grant = { ...base, tools: apart ? { [tool]: exact } : { ...before, [tool]: exact } };
  }
  let asked = trial.decide(call, grant);
  let policy: Proposal['policy'];
  if (asked === 'policy.not_permitted') {
    const added = addPolicy(snapshot, { id: receipt.id, principal: agent, ...call });
    if (isDenial(added)) return added;
    policy = added;
    asked = trial.decide(call, grant, preparePolicy(added.bundle));
  }
  if (!PASSES.has(asked)) return deny('request.malformed', `it would still be denied: ${asked}`);
  const prepared = policy && preparePolicy(policy.bundle);
  const others = [...(snapshot.policy?.bundle.tools.keys() ?? [])].filter((name) => name !== tool);
  const neighbours = neighboursOf(call, others.slice(0, MAX_OTHER_TOOLS)).map(({ change, ...next }) => {
    const then = trial.decide(next, grant, prepared);
    const now = trial.decide(next, { ...base, tools: before });
    return { change, code: then, opened: PASSES.has(then) && !PASSES.has(now) };
  });
  return {
    ...call,
    holder: agent,
    holderThumbprint: token.holder.thumbprint,
    ...(SCOPE_CODES.includes(code) ? { artifact: { before, grant, apart } } : {}),
    ...(policy === undefined ? {} : { policy }),
    ...{ asked, neighbours },
  };
}

/** The active bundle with one policy more. */
function addPolicy(
  { policy }: Snapshot,
  call: Parameters<typeof exactPolicy>[1],
): NonNullable<Proposal['policy']> | Denial {
  if (policy === undefined) return deny('policy.unavailable', 'the active policy is not at hand');
  const added = exactPolicy(policy.bundle, call);
  if (added === undefined) {
    return deny(
      'request.malformed',
      'the active policy does not define the tool: add its definition to the policy folder',
    );
  }
  const bundle = withSource(policy.bundle, added);
  return 'digest' in bundle
    ? { ...added, bundle }
    : deny('policy.unavailable', `the policy cannot be added: ${bundle[0]?.reason ?? 'unknown problem'}`);
}

function withSource(
  { id, bytes, sources }: PolicyBundle,
  { path, text }: ExactPolicy,
): ReturnType<typeof buildPolicyBundle> {
  const document: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  const { tools, redaction } = document as Pick<BundleInput, 'tools'> & { readonly redaction?: JsonObject };
  return buildPolicyBundle({
    ...{ id, tools, policies: [...sources.filter((source) => source.path !== path), { path, text }] },
    ...(redaction === undefined ? {} : { redaction: { path: 'redaction', rules: redaction } }),
  });
}

function toolsOf(toolsJson: JsonObject | undefined): { readonly [tool: string]: JsonObject } {
  return Object.fromEntries(
    Object.entries(toolsJson ?? {}).flatMap(([tool, map]) => (isJsonObject(map) ? [[tool, map]] : [])),
  );
}

function adviceOn(code: string | undefined): string {
  if (code === undefined) return 'it was permitted';
  if (code === 'policy.forbidden')
    return 'a policy forbids it: no permit outweighs that, only changing the policy does';
  if (code.startsWith('approval.')) return 'it waits for approval: see "writ approval show"';
  return `no artifact or policy can be proposed for ${code}`;
}
