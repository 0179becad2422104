export type { ConfigProblem } from './config-problem.ts';
export {
  type Config,
  DEFAULT_CONFIG,
  type GrantConfig,
  type LimitsConfig,
  type ListenConfig,
  type TelemetryConfig,
} from './config-schema.ts';
export { configurationGuide } from './document-config.ts';
export { type LoadedConfig, readConfig } from './read-config.ts';
export { type Environment, readSecret, type SecretReference } from './secret.ts';
