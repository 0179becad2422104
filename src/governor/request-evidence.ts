import type { JsonObject, JsonValue } from '../codec/index.ts';
import type { Action, Snapshot } from '../decision/index.ts';
import { isDenial } from '../denial/index.ts';
import { withoutSecrets } from '../policy/index.ts';

/**
 * What is kept of a call, to be sealed. The proof holds the arguments; they stand apart only where no verified proof
 * repeats them.
 *
 * INVARIANT: what redaction rules call secret is not kept, sealed or not (DESIGN §6, "Evidence store"). Then neither is the
 * proof, whose payload repeats it; nor is one that was not verified, whatever its payload says.
 */
export function requestEvidenceOf(action: Action, { policy, governance }: Snapshot, proven: boolean): string {
  const { args, presentation, refusal, tool } = action;
  const evidence: Record<string, JsonValue> = { tool };
  if (refusal !== undefined) evidence.refusal = { code: refusal.code, detail: refusal.detail };
  if (isDenial(presentation)) evidence.problem = { code: presentation.code, detail: presentation.detail };
  if (policy === undefined && governance.policy !== undefined) {
    // The rules are in a bundle that is not at hand: anything may be secret.
    return JSON.stringify({ ...evidence, redacted: [''] });
  }
  const secret = policy?.bundle.redaction?.forTool(tool).arguments.secret ?? [];
  const { args: kept, redacted } = withoutSecrets(args, secret);
  const pop = presentation !== undefined && !isDenial(presentation) ? presentation.aat_pop : undefined;
  if (redacted.length > 0 || (secret.length > 0 && pop !== undefined && !proven)) {
    return JSON.stringify({ ...evidence, args: kept, redacted });
  }
  if (pop !== undefined) evidence.pop = pop;
  if (!proven || pop === undefined) evidence.args = args;
  return JSON.stringify(evidence);
}

/** Whether something of a call was never kept: its decision cannot be derived again, nor its evidence be handed on. */
export function isRedactedRequest(request: JsonObject): boolean {
  return request.redacted !== undefined;
}
