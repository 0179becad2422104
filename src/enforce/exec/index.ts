export { type BoundInput, bindInput } from './bound-input.ts';
export { type CanaryReport, runCanaries } from './canaries.ts';
export {
  type Account,
  accountOf,
  type Confiner,
  confinerComponents,
  DEFAULT_ACCOUNT,
  findConfiner,
} from './confiner.ts';
export { DEFAULT_ENVIRONMENT, isUnsafeVariable, sortEnvironment } from './environment-variables.ts';
export { accountText, type ExecAsk, resolveAsk } from './exec-request.ts';
export { type Effects, type ExecTool, execPointName, execTool, execToolId } from './exec-tool.ts';
export { closePaths } from './granted-path.ts';
export type { HeldProcess, ProcessEnd, Streams } from './held-process.ts';
export { runCanariesUnlessKept } from './kept-canaries.ts';
export { DEFAULT_LIMITS, findBadLimit, type Limits } from './limits.ts';
export { destinationText, parseNetwork } from './network-grant.ts';
export { PROXY_VARIABLES } from './network-launch.ts';
export { isBeneath } from './path-lineage.ts';
export { type Program, programComponents, readProgram } from './program.ts';
export { isChangeableByOthers, ROOT } from './program-place.ts';
export {
  copyPaths,
  findPathUse,
  type NarrowLimit,
  type NarrowPath,
  narrowLimits,
  narrowPaths,
  notesAccessTimes,
  type PathCopies,
  type PathUse,
} from './recording/index.ts';
export { type ExecCall, type ExecOutcome, type ExecPorts, runExec } from './run-exec.ts';
export {
  type Pipeline,
  parseShellLine,
  type ShellLine,
  type SimpleCommand,
  type Target,
} from './shell-line.ts';
