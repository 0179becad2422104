export {
  CLAUDE_CODE,
  claudeCodeDefinitions,
  HOOK_SCHEME,
  parseToolUse,
  type ToolUse,
} from './claude-code.ts';
export { type FunctionTool, type GovernedFunction, govern } from './function.ts';
export { type GovernedTool, sdkToolId, type ToolAnnotations, type ToolDescription } from './governed-tool.ts';
export { openWrit, type WritOptions } from './open-writ.ts';
export { type CallContext, type CallOptions, type GovernedCode, Writ } from './writ.ts';
export { WritDenied } from './writ-denied.ts';
