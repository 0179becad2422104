export { createPresenter, type PresenterOptions } from '../../artifact/index.ts';
export type { DenialStyle } from './answer.ts';
export { type GatewayExit, type GatewayLimits, type GatewayOptions, runMcpGateway } from './gateway.ts';
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
