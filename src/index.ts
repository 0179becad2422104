/**
 * The package `writ`: a trust domain's governor, and functions governed in process. Its parts have subpaths of their own
 * (`writ/governor`, `writ/artifact`, `writ/receipt`, …); frameworks' tools are wrapped by `writ/ai-sdk`,
 * `writ/openai-agents` and `writ/langchain`.
 */
export { Denial, isDenial, type ReasonCode } from './denial/index.ts';
export {
  type CallContext,
  type CallOptions,
  type FunctionTool,
  type GovernedFunction,
  govern,
  openWrit,
  type ToolAnnotations,
  Writ,
  WritDenied,
  type WritOptions,
} from './enforce/sdk/index.ts';
export {
  createDomain,
  type Effect,
  type EffectResult,
  type Execution,
  enrollAgent,
  Governor,
  type GovernorOptions,
  Home,
  issueArtifact,
  type OpenedGovernor,
  type Outcome,
  openGovernor,
  openHome,
  publishPolicy,
} from './governor/index.ts';
