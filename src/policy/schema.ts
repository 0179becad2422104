import { inputTypeText, quoteCedarString, type RecordInputType } from './input-type.ts';
import type { ActionGroup } from './tool.ts';

/** Entity types and the context's fixed members; published as `spec/policy.cedarschema`. */
export const FIXED_SCHEMA = `namespace Writ {
  // The holder of the leaf token, by its enrolled URI (or key thumbprint URI when it isn't enrolled).
  entity Agent = { enrolled: Bool, thumbprint: String };

  // The server a tool belongs to, by its configured name.
  entity Server;

  // Every tool is an action in exactly one of these groups.
  action "read";
  action "write";
  action "destructive";

  type ArtifactFacts = {
    issuer: String,
    rootId: String,
    leafId: String,
    depth: Long,
    initiator?: { id: String, kind: String },
    owner?: String,
    purpose?: String,
    reference?: String,
    risk?: String,
    expiresInSeconds: Long,
  };

  type EnvironmentFacts = { measured: Bool, digest?: String, assurance: String };

  type LineageFacts = { isRoot: Bool, depth: Long, parentTool?: String };

  // Days of the week count from 0, Sunday.
  type TimeFacts = { epochSeconds: Long, hourUtc: Long, minuteUtc: Long, dayOfWeekUtc: Long };
}
`;

/** The Cedar schema of a set of tools: the fixed part, and one action per tool with its typed input. */
export function policySchema(
  tools: Iterable<{ id: string; group: ActionGroup; input: RecordInputType }>,
): string {
  let text = FIXED_SCHEMA.slice(0, FIXED_SCHEMA.lastIndexOf('}'));
  for (const tool of tools) {
    text += `
  action ${quoteCedarString(tool.id)} in [${quoteCedarString(tool.group)}] appliesTo {
    principal: Agent,
    resource: Server,
    context: {
      input: ${inputTypeText(tool.input)},
      unrepresented: Set<String>,
      artifact: ArtifactFacts,
      environment: EnvironmentFacts,
      lineage: LineageFacts,
      time: TimeFacts,
    },
  };
`;
  }
  return `${text}}\n`;
}
