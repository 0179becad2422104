/** Progress, for who watches. */
export function progress(facts: object): void {
  process.stderr.write(`${JSON.stringify(facts)}\n`);
}

/** The result of a campaign: a JSON document, and exit code 1 where anything was violated. */
export function report(facts: object, violations: readonly string[]): void {
  const shown = violations.slice(0, 50);
  const result = { ...facts, violationCount: violations.length, violations: shown };
  process.stdout.write(`${JSON.stringify(result, undefined, 1)}\n`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

export function fixed(value: number): number {
  return Math.round(value * 100) / 100;
}
