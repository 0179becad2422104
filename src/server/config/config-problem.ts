/** What is wrong with the configuration. Values are not repeated: one may be a secret in the wrong place. */
export interface ConfigProblem {
  /** Path of the key, dotted; the name of an environment variable; or empty for the file as a whole. */
  readonly key: string;
  readonly reason: string;
  readonly hint?: string;
  readonly line?: number;
  readonly column?: number;
}
