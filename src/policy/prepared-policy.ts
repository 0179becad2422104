import type { CedarValueJson, EntityJson, StatefulAuthorizationCall } from '@cedar-policy/cedar-wasm/nodejs';
import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { ApprovalRequirement } from './approval.ts';
import { type BundleTool, isValidatedBundle, type PolicyBundle } from './bundle.ts';
import { type PolicyFacts, toCedarFacts } from './facts.ts';
import { toCedarInput } from './input-value.ts';
import { type StaticPolicies, withPreparsed } from './policy-slot.ts';
import { type PolicyPermit, verdictOf } from './verdict.ts';

export interface PolicyRequest {
  readonly principal: {
    /** URI of the agent. */
    readonly id: string;
    /** The holder key is that of an enrolled agent. */
    readonly enrolled: boolean;
    /** RFC 7638 thumbprint of the holder key. */
    readonly thumbprint: string;
  };
  /** Tool id. */
  readonly tool: string;
  /** The call's arguments, from the strict parser. */
  readonly input: JsonObject;
  readonly facts: PolicyFacts;
}

/** A bundle ready to decide. Replace it by preparing the next bundle; nothing need be released. */
export class PreparedPolicy {
  readonly bundle: PolicyBundle;
  readonly #policies: StaticPolicies;
  readonly #approvals = new Map<string, readonly ApprovalRequirement[]>();
  /** Every attribute name that some policy mentions. */
  readonly #named = new Set<string>();
  readonly #usesWholeContext: boolean;
  readonly #wholeMembers = new Set<string>();
  readonly #actions = new Map<string, EntityJson>();

  /** INVARIANT: the bundle is validated; `preparePolicy` sees to it. */
  constructor(bundle: PolicyBundle) {
    this.bundle = bundle;
    this.#policies = Object.fromEntries(bundle.policies.map(({ id, text }) => [id, text]));
    for (const policy of bundle.policies) {
      this.#approvals.set(policy.id, policy.approvals);
      for (const attribute of policy.attributes) this.#named.add(attribute);
      for (const member of policy.wholeMembers) this.#wholeMembers.add(member);
    }
    this.#usesWholeContext = bundle.policies.some(({ usesWholeContext }) => usesWholeContext);
    for (const [id, tool] of bundle.tools) {
      this.#actions.set(id, {
        uid: { type: 'Writ::Action', id },
        attrs: {},
        parents: [{ type: 'Writ::Action', id: tool.group }],
      });
    }
    withPreparsed(this.#policies, () => undefined);
  }

  /**
   * Decides one request. Deterministic; never throws.
   *
   * @returns `policy.forbidden`, `policy.not_permitted`, or `policy.evaluation_failed` for anything that keeps policies
   *   from being evaluated in full, without error.
   */
  evaluate(request: PolicyRequest): PolicyPermit | Denial {
    try {
      const call = this.evaluationCall(request);
      if (isDenial(call)) return call;
      return withPreparsed(this.#policies, (cedar, preparsedPolicySetId) =>
        verdictOf(cedar.statefulIsAuthorized({ ...call, preparsedPolicySetId }), this.#approvals),
      );
    } catch {
      return deny('policy.evaluation_failed', 'policy evaluation raised an exception');
    }
  }

  /**
   * The Cedar request as policies are evaluated with it: what of the context no policy names is left out, since most of
   * an evaluation's cost is handing it over. What is named anywhere stays, and so does all of what some policy uses as a
   * value of its own.
   */
  evaluationCall(request: PolicyRequest): ReturnType<PreparedPolicy['authorizationCall']> {
    const call = this.authorizationCall(request);
    if (isDenial(call) || this.#usesWholeContext) return call;
    const context: Record<string, CedarValueJson> = {};
    for (const [name, value] of Object.entries(call.context)) {
      if (!this.#named.has(name)) continue;
      context[name] = this.#wholeMembers.has(name) ? value : this.#namedMembers(value);
    }
    return { ...call, context };
  }

  #namedMembers(value: CedarValueJson): CedarValueJson {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).filter(([name]) => this.#named.has(name)));
  }

  /**
   * The Cedar request, without the policies.
   *
   * No schema goes with it: Cedar's cost of one grows with the number of tools (2 ms at 2,000). What its request
   * validation would check holds by construction: types of principal and resource are fixed, the action is one the
   * schema has, and facts and input are converted to the schema's types one value at a time.
   */
  authorizationCall(
    request: PolicyRequest,
  ): Omit<StatefulAuthorizationCall, 'preparsedPolicySetId'> | Denial {
    const tool: BundleTool | undefined = this.bundle.tools.get(request.tool);
    const action = this.#actions.get(request.tool);
    if (tool === undefined || action === undefined) {
      return deny('policy.evaluation_failed', 'tool is not in the policy bundle');
    }
    const { id, enrolled, thumbprint } = request.principal;
    if (typeof enrolled !== 'boolean' || !isText(id) || !isText(thumbprint)) {
      return deny('policy.evaluation_failed', 'principal is not of its type');
    }
    const facts = toCedarFacts(request.facts);
    if (isDenial(facts)) return facts;
    const input = toCedarInput(tool.input, request.input, this.#named);
    if (isDenial(input)) return input;
    const principal = { type: 'Writ::Agent', id };
    return {
      principal,
      action: { type: 'Writ::Action', id: request.tool },
      resource: { type: 'Writ::Server', id: tool.server },
      context: { ...facts, input: input.input, unrepresented: input.unrepresented },
      entities: [{ uid: principal, attrs: { enrolled, thumbprint }, parents: [] }, action],
      validateRequest: false,
    };
  }
}

/** Prepares a validated bundle. Throws `TypeError` for anything that `build` or `parse` didn't make. */
export function preparePolicy(bundle: PolicyBundle): PreparedPolicy {
  if (!isValidatedBundle(bundle)) throw new TypeError('not a validated policy bundle');
  return new PreparedPolicy(bundle);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed();
}
