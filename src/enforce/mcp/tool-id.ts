import { encodeUriSegment } from '../../codec/index.ts';

/** What of an MCP server an action touches: the middle segment of a tool identifier. */
export type McpArea =
  | 'tools'
  | 'resources'
  | 'prompts'
  | 'completion'
  | 'sampling'
  | 'elicitation'
  | 'roots'
  | 'input'
  | 'methods';

const SERVER_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

/** Whether a configured server name may stand in tool identifiers as it is. */
export function isServerName(name: string): boolean {
  return SERVER_NAME.test(name);
}

/**
 * The tool identifier of something an MCP server offers: `mcp://<server>/<area>/<name>` (DESIGN §7).
 *
 * INVARIANT: injective. Every octet of the name but `A–Z a–z 0–9 - _ . ~` is percent-encoded with upper-case digits
 * (the percent sign itself included), so two names never share an identifier and none can leave its area.
 *
 * @param server a name that {@link isServerName} accepts, else TypeError.
 * @param name well-formed Unicode, else TypeError; compared by code points, without normalisation.
 */
export function mcpToolId(server: string, area: McpArea, name: string): string {
  if (!isServerName(server)) throw new TypeError('not a server name');
  return `mcp://${server}/${area}/${encodeUriSegment(name)}`;
}
