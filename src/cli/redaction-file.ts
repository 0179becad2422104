import type { PolicyProblem, RedactionSource } from '../policy/index.ts';
import { readPlainYaml } from '../server/config/plain-yaml.ts';

/** Names of the file in a policy folder that says what receipts show. JSON is YAML, too. */
export const REDACTION_FILES: readonly string[] = ['redaction.yaml', 'redaction.yml', 'redaction.json'];

const MAX_DEPTH = 8;

/** Reads the file; what the rules mean is not looked at. */
export function readRedactionFile(path: string, text: string): RedactionSource | PolicyProblem {
  const read = readPlainYaml(text, MAX_DEPTH);
  return 'reason' in read ? { path, ...read } : { path, rules: read.value, placeOf: read.placeOf };
}
