import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** What one check of one scenario found. */
export interface CheckResult {
  readonly scenario: string;
  readonly check: string;
  readonly status: string;
  readonly error: string | undefined;
}

const SUITE = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/dist/index.js');

/** Runs what a revision requires of servers, and all else the suite runs with it, against a server. */
export function runSuite(url: string, revision: string, folder: string): Promise<CheckResult[]> {
  return run(['--url', url, '--requirements', revision], folder);
}

/** Runs one scenario. */
export function runScenario(
  url: string,
  revision: string,
  scenario: string,
  folder: string,
): Promise<CheckResult[]> {
  return run(['--url', url, '--scenario', scenario, '--spec-version', revision], folder);
}

async function run(options: readonly string[], folder: string): Promise<CheckResult[]> {
  const args = [SUITE, 'server', ...options, '--output-dir', folder];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  await new Promise((resolve) => child.once('close', resolve));
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(name)?.[1] ?? name;
      const checks = JSON.parse(readFileSync(join(folder, name, 'checks.json'), 'utf8')) as Found[];
      return checks.map(({ id, status, errorMessage }) => ({
        scenario,
        check: id,
        status,
        error: errorMessage,
      }));
    });
}

interface Found {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** The scenarios that a revision requires of servers, as the suite's own list has them. */
export function requiredScenarios(revision: string): string[] {
  const text = readFileSync(join(SUITE, '../../requirements', `${revision}.yaml`), 'utf8');
  const section = /^server:\n((?:.*\n)*?)(?=^\S)/m.exec(text)?.[1] ?? '';
  return [...section.matchAll(/^ +- ([\w-]+)$/gm)].map(([, name = '']) => name);
}
