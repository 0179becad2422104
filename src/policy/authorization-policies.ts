import type { AuthorizationAnswer, EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { withCedar } from './cedar.ts';
import { type StaticPolicies, withPreparsed } from './policy-slot.ts';

/** A request to policies of one's own schema. Every entity that matters is in `entities`. */
export interface AuthorizationQuestion {
  readonly principal: { readonly type: string; readonly id: string };
  readonly action: { readonly type: string; readonly id: string };
  readonly resource: { readonly type: string; readonly id: string };
  readonly context: Readonly<Record<string, string>>;
  readonly entities: readonly EntityJson[];
}

const MAX_PROBLEMS = 20;

/** Policies beside those of a bundle, such as who may administer: strictly validated against their own schema. */
export class AuthorizationPolicies {
  readonly #policies: StaticPolicies;

  private constructor(policies: StaticPolicies) {
    this.#policies = policies;
  }

  /** @returns what is wrong with the text, in Cedar's words, or the policies. */
  static parse(text: string, schema: string): AuthorizationPolicies | readonly string[] {
    return withCedar((cedar) => {
      const parts = cedar.policySetTextToParts(text);
      if (parts.type === 'failure') return messagesOf(parts.errors);
      if (parts.policy_templates.length > 0) return ['templates are not used here'];
      const policies = Object.fromEntries(parts.policies.map((policy, index) => [`policy${index}`, policy]));
      const answer = cedar.validate({
        schema,
        policies: { staticPolicies: policies },
        validationSettings: { mode: 'strict' },
      });
      if (answer.type === 'failure') return messagesOf(answer.errors);
      if (answer.validationErrors.length > 0) {
        return messagesOf(answer.validationErrors.map(({ error }) => error));
      }
      return new AuthorizationPolicies(policies);
    });
  }

  /** INVARIANT: any error at all, of any policy, is a no (as `verdictOf`). Never throws. */
  permits({ principal, action, resource, context, entities }: AuthorizationQuestion): boolean {
    try {
      return withPreparsed(this.#policies, (cedar, preparsedPolicySetId) =>
        isPermit(
          cedar.statefulIsAuthorized({
            ...{ principal, action, resource, preparsedPolicySetId, validateRequest: false },
            context: { ...context },
            entities: [...entities],
          }),
        ),
      );
    } catch {
      return false;
    }
  }
}

function isPermit(answer: AuthorizationAnswer): boolean {
  if (answer.type !== 'success') return false;
  const { decision, diagnostics } = answer.response;
  return decision === 'allow' && diagnostics.errors.length === 0;
}

function messagesOf(errors: readonly { readonly message: string }[]): string[] {
  return errors.slice(0, MAX_PROBLEMS).map(({ message }) => message);
}
