export { detectSecret, isSecretName } from './detectors.ts';
export { type Preview, previewOf } from './preview.ts';
export {
  type Disclosure,
  parseRedactionRules,
  type RedactionProblem,
  RedactionRules,
  type ToolRedaction,
} from './rules.ts';
export { REDACTED, type WithoutSecrets, withoutSecrets } from './secret-members.ts';
