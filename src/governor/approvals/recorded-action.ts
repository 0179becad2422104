import { canonicalize, isJsonObject, type JsonObject } from '../../codec/index.ts';
import { canonicalAction } from '../../decision/index.ts';
import { argumentsOfProof, type DecisionReceipt } from '../../receipt/index.ts';

export interface RecordedAction {
  readonly args: JsonObject;
  /** What approvals bind a digest of. */
  readonly canonical: string;
}

/** The action that the evidence of a call holds whole, under what its receipt says it was decided on; undefined where it does not. */
export function recordedActionOf(
  { tool, audiences, artifact, policy }: DecisionReceipt,
  request: JsonObject,
): RecordedAction | undefined {
  const args: unknown = request.args ?? argumentsOfProof(request.pop);
  const audience = audiences.at(-1);
  if (!isJsonObject(args) || request.redacted !== undefined) return undefined;
  if (artifact === undefined || policy === undefined || audience === undefined) return undefined;
  const canonical = canonicalAction({
    ...{ tool: typeof request.tool === 'string' ? request.tool : tool, audience },
    ...{ argsJcs: canonicalize(args), artifactDigest: artifact.digest, policyDigest: policy.digest },
  });
  return { args, canonical };
}
