export { createPresenter, type PresenterOptions } from '../../artifact/index.ts';
export type { DenialStyle } from './answer.ts';
export { createDiagnose } from './diagnostics.ts';
export { type GatewayExit, type GatewayLimits, type GatewayOptions, runMcpGateway } from './gateway.ts';
export type { OpenChannel } from './http/channel.ts';
export { type ConnectorOptions, runConnector } from './http/connector.ts';
export {
  type GovernedUpstreamOptions,
  governedUpstream,
  HTTP_SESSION_LIMITS,
} from './http/governed-upstream.ts';
export { type HttpLinkOptions, httpLink } from './http/http-link.ts';
export { type EndpointLimits, type EndpointOptions, McpEndpoint } from './http/mcp-endpoint.ts';
export { multiplexer } from './http/multiplexer.ts';
export { stdioLink } from './http/stdio-link.ts';
export type { OpenLink } from './http/upstream-link.ts';
export { isUpstreamId } from './http/upstream-names.ts';
export type { CallGovernor, Presenter } from './ports.ts';
export { protocolDefinitions } from './protocol-definitions.ts';
export type { ListedTool, SessionLimits } from './session-ports.ts';
export { isServerName, type McpArea, mcpToolId } from './tool-id.ts';
export {
  type UpstreamCommand,
  type UpstreamExit,
  UpstreamProcess,
  upstreamEnvironment,
} from './upstream-process.ts';
