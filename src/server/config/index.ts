export { approvalsBaseUrl, type RelyingParty, relyingPartyOf } from './approval-site.ts';
export type { ConfigProblem } from './config-problem.ts';
export {
  type Config,
  DEFAULT_CONFIG,
  type GrantConfig,
  type LimitsConfig,
  type ListenConfig,
  NOTICES,
  type NoticeType,
  type TelemetryConfig,
  type WebhookConfig,
  type WorkloadsConfig,
} from './config-schema.ts';
export { configurationGuide } from './document-config.ts';
export { type LoadedConfig, readConfig } from './read-config.ts';
export { type Environment, readSecret, type SecretReference } from './secret.ts';
export type { SupervisedConfig } from './supervised-schema.ts';
export { findWebhookUrlProblem } from './webhook-url.ts';
