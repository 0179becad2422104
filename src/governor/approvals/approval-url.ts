/** Where a request for approval is decided: what people are sent to, by notices and by MCP clients. */
export function approvalUrl(baseUrl: string, request: string): string {
  return `${baseUrl.replace(/\/+$/, '')}/approvals/${encodeURIComponent(request)}`;
}
