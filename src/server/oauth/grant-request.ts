import { findMapAmplification, parseConstraintMap } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { GrantConfig } from '../config/index.ts';

const CAPABILITY_TYPE = 'attenuating_agent_token';
const MAX_DETAILS_CHARACTERS = 65_536;
const MAX_DEPTH = 48;
const MEMBERS = new Set(['type', 'tools']);

export type RequestedTools = Readonly<Record<string, JsonObject>>;

/** The tools that `authorization_details` asks for (RFC 9396, AAT §3.3); undefined where it is not exactly that. */
export function parseAuthorizationDetails(text: string): RequestedTools | undefined {
  const json = parseJson(text, 'request.malformed', {
    maxBytes: MAX_DETAILS_CHARACTERS,
    maxDepth: MAX_DEPTH,
  });
  if (isDenial(json) || !Array.isArray(json) || json.length !== 1) return undefined;
  const [entry] = json;
  if (!isJsonObject(entry) || entry.type !== CAPABILITY_TYPE || !isJsonObject(entry.tools)) return undefined;
  if (Object.keys(entry).some((name) => !MEMBERS.has(name))) return undefined;
  const tools: Record<string, JsonObject> = {};
  for (const [tool, map] of Object.entries(entry.tools)) {
    if (!isJsonObject(map)) return undefined;
    tools[tool] = map;
  }
  return tools;
}

export function authorizationDetailsOf(tools: RequestedTools): readonly object[] {
  return [{ type: CAPABILITY_TYPE, tools }];
}

/**
 * What of a request a rule covers, tool by tool. INVARIANT: a tool is granted as it was asked for, and only where the rule's
 * constraints subsume that (AAT §4.5), as if the rule were the parent.
 */
export function grantedTools(rule: GrantConfig, requested: RequestedTools): RequestedTools {
  const granted: Record<string, JsonObject> = {};
  for (const [tool, map] of Object.entries(requested)) {
    const allowed = Object.hasOwn(rule.tools, tool) ? rule.tools[tool] : undefined;
    if (allowed === undefined) continue;
    const parent = parseConstraintMap(allowed);
    const child = parseConstraintMap(map);
    if (isDenial(parent) || isDenial(child)) continue;
    if (findMapAmplification(parent, child) === undefined) granted[tool] = map;
  }
  return granted;
}
