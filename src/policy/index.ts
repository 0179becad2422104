export type { ApprovalRequirement } from './approval.ts';
export { AuthorizationPolicies, type AuthorizationQuestion } from './authorization-policies.ts';
export {
  type BundlePolicy,
  type BundleTool,
  buildPolicyBundle,
  formatProblem,
  type PolicyBundle,
  parsePolicyBundle,
} from './bundle.ts';
export { BUNDLE_LIMITS, BUNDLE_TYPE, type BundleInput, type RedactionSource } from './bundle-input.ts';
export { type PolicyFacts, type TimeFacts, timeFacts } from './facts.ts';
export type { InputMember, InputType, RecordInputType } from './input-type.ts';
export { type PolicyCase, parsePolicyCases } from './policy-case.ts';
export type { PolicyProblem, PolicySource } from './policy-source.ts';
export { type PolicyRequest, type PreparedPolicy, preparePolicy } from './prepared-policy.ts';
export {
  type Disclosure,
  detectSecret,
  isSecretName,
  type Preview,
  parseRedactionRules,
  previewOf,
  REDACTED,
  type RedactionRules,
  type ToolRedaction,
  withoutSecrets,
} from './redaction/index.ts';
export { type CaseResult, runPolicyCase } from './run-policy-case.ts';
export { starterPolicy } from './starter-policy.ts';
export { type ActionGroup, actionGroupOf, type ToolDefinition, toolDefinitionDigest } from './tool.ts';
export type { PolicyPermit } from './verdict.ts';
