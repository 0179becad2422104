import { readFileSync } from 'node:fs';
import { ROLES } from '../../governance/index.ts';
import { AuthorizationPolicies } from '../../policy/index.ts';
import type { Caller } from './caller.ts';

/** What operations have in common, for policies to speak of: each operation is in one of them. */
export const OPERATION_GROUPS = ['read', 'administer', 'approve', 'enforce'] as const;
export type OperationGroup = (typeof OPERATION_GROUPS)[number];

export interface NamedOperation {
  /** `operationId` of the OpenAPI document. */
  readonly name: string;
  readonly group: OperationGroup;
}

/** Who may do what, unless the operator says otherwise. What no policy permits is denied. */
export const BUILT_IN_POLICY = `// Auditors see everything, and change nothing.
permit (principal in WritApi::Role::"auditor", action in WritApi::Action::"read", resource);
// Approvers see what they approve.
permit (principal in WritApi::Role::"approver", action in [WritApi::Action::"read", WritApi::Action::"approve"], resource);
permit (principal in WritApi::Role::"operator", action in [WritApi::Action::"read", WritApi::Action::"administer"], resource);
// An enforcement point asks for decisions, in its own name.
permit (principal in WritApi::Role::"enforcement-point", action in WritApi::Action::"enforce", resource)
when { context.enforcementPoint == "" || context.enforcementPoint == principal.enforcementPoint };
`;

const MAX_POLICY_BYTES = 1024 * 1024;
const MAX_REMEMBERED = 10_000;

/** The Cedar schema that administrative policies are validated against: every operation is an action. */
export function administrativeSchema(operations: readonly NamedOperation[]): string {
  const actions = operations.map(
    ({ name, group }) =>
      `  action ${JSON.stringify(name)} in [${JSON.stringify(group)}] appliesTo { ${APPLIES} };`,
  );
  return `namespace WritApi {
  entity Role enum [${ROLES.map((role) => JSON.stringify(role)).join(', ')}];
  entity Caller in [Role] = { enforcementPoint: String };
  entity Domain;
${OPERATION_GROUPS.map((group) => `  action ${JSON.stringify(group)};`).join('\n')}
${actions.join('\n')}
}
`;
}

const APPLIES = 'principal: [Caller], resource: [Domain], context: { enforcementPoint: String }';

/** Says which caller may call which operation of the API. */
export class AdministrativePolicy {
  readonly #policies: AuthorizationPolicies;
  readonly #groups: ReadonlyMap<string, OperationGroup>;
  readonly #domain: string;
  readonly #remembered = new Map<string, boolean>();

  private constructor(
    policies: AuthorizationPolicies,
    groups: ReadonlyMap<string, OperationGroup>,
    domain: string,
  ) {
    this.#policies = policies;
    this.#groups = groups;
    this.#domain = domain;
  }

  /** @returns what is wrong with the text, a line each, or the policy. */
  static parse(
    text: string,
    operations: readonly NamedOperation[],
    domain: string,
  ): AdministrativePolicy | readonly string[] {
    const policies = AuthorizationPolicies.parse(text, administrativeSchema(operations));
    if (!(policies instanceof AuthorizationPolicies)) return policies;
    return new AdministrativePolicy(
      policies,
      new Map(operations.map(({ name, group }) => [name, group])),
      domain,
    );
  }

  /** @param enforcementPoint the one that the request is about, if it names one. */
  permits(caller: Caller, operation: string, enforcementPoint = ''): boolean {
    const group = this.#groups.get(operation);
    if (group === undefined) return false;
    // The answer depends on nothing else, and Cedar takes a tenth of a millisecond.
    const key = JSON.stringify([
      caller.id,
      caller.role,
      caller.enforcementPoint,
      operation,
      enforcementPoint,
    ]);
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const principal = { type: 'WritApi::Caller', id: caller.id };
    const action = { type: 'WritApi::Action', id: operation };
    const permitted = this.#policies.permits({
      principal,
      action,
      resource: { type: 'WritApi::Domain', id: this.#domain },
      context: { enforcementPoint },
      entities: [
        {
          uid: principal,
          attrs: { enforcementPoint: caller.enforcementPoint ?? '' },
          parents: [{ type: 'WritApi::Role', id: caller.role }],
        },
        { uid: action, attrs: {}, parents: [{ type: 'WritApi::Action', id: group }] },
      ],
    });
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(key, permitted);
    return permitted;
  }
}

/** @throws Error where the file cannot be read. */
export function readAdministrativePolicy(file: string | undefined): string {
  if (file === undefined) return BUILT_IN_POLICY;
  const text = readFileSync(file, 'utf8');
  if (text.length > MAX_POLICY_BYTES) throw new Error(`${file} is longer than ${MAX_POLICY_BYTES} bytes`);
  return text;
}
