import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as critical from '../../examples/critical-infrastructure/main.ts';
import * as orchestration from '../../examples/distributed-orchestration/main.ts';
import * as financial from '../../examples/financial-execution/main.ts';
import * as infrastructure from '../../examples/infrastructure-operations/main.ts';
import type { PlayOptions, Report } from '../../examples/support/scenario.ts';
import { makeFolder, writ } from '../../src/cli/run.test-support.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Example {
  readonly play: (options: PlayOptions) => Promise<Report>;
  /** What must come of it, in this order. */
  readonly comes: readonly string[];
  /** What the world must look like at the end: files of the story and their content. */
  readonly leaves: Readonly<Record<string, string | RegExp>>;
}

const EXAMPLES: Readonly<Record<string, Example>> = {
  'infrastructure-operations': {
    play: infrastructure.play,
    comes: [
      'approval.required',
      'approval.required',
      'approval.required',
      'permit',
      'approval.required',
      'policy.forbidden',
      'scope.arguments_not_granted',
      'scope.arguments_not_granted',
    ],
    leaves: { 'production.state': '{"web":"2 machines"}' },
  },
  'financial-execution': {
    play: financial.play,
    comes: [
      'permit',
      'scope.arguments_not_granted',
      'scope.arguments_not_granted',
      'scope.arguments_not_granted',
      'approval.required',
      'approval.required',
      'approval.required',
      'permit',
      'approval.required',
      'permit',
      'scope.use_exhausted',
      'permit',
      'replay.detected',
    ],
    leaves: {
      'ledger.jsonl': [
        '{"to":"paper-mill","amount":40000,"order":"PO-17"}',
        '{"to":"print-shop","amount":450000,"order":"PO-18"}',
        '{"to":"paper-mill","amount":100000,"order":"PO-17"}',
        '{"to":"paper-mill","amount":1000,"order":"PO-17"}',
        '',
      ].join('\n'),
    },
  },
  'distributed-orchestration': {
    play: orchestration.play,
    comes: [
      'permit',
      'permit',
      'permit',
      'scope.arguments_not_granted',
      'policy.not_permitted',
      'lineage.parent_unknown',
      'lineage.root_mismatch',
      'artifact.attenuation_invalid',
      'artifact.attenuation_invalid',
      'stopped: revocation.revoked',
      'revocation.revoked',
    ],
    leaves: { 'counts/nuts': '2' },
  },
  'critical-infrastructure': {
    play: critical.play,
    comes: [
      'approval.required',
      'approval.required',
      'permit',
      'approval.required',
      'approval.expired',
      'approval.required',
      'approval.rejected',
      'policy.forbidden',
      'scope.arguments_not_granted',
      'scope.arguments_not_granted',
      'approval.required',
      'permit',
      'scope.outside_window',
    ],
    leaves: { 'north.kpa': '300' },
  },
};

describe.each(Object.entries(EXAMPLES))('the example %s', (name, { play, comes, leaves }) => {
  const { folder, remove } = makeFolder();
  let report: Report;
  let output = '';

  beforeAll(async () => {
    report = await play({ folder: join(folder, name), write: (text) => (output += text) });
  });
  afterAll(remove);

  it('goes as it says, with receipts, logs and evidence that verify', () => {
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.steps.map(({ came }) => came)).toEqual(comes);
    expect(report).toMatchObject({ ok: true, logsVerified: true, bundleVerified: true });
    expect(output).not.toContain('UNEXPECTED');
    expect(new Set(report.steps.map(({ receipt }) => receipt)).size).toBe(comes.length);
  });

  it('leaves the world as only its permits have made it', () => {
    for (const [file, content] of Object.entries(leaves)) {
      const text = readFileSync(join(folder, name, 'world', file), 'utf8');
      if (typeof content === 'string') expect(text).toBe(content);
      else expect(text).toMatch(content);
    }
  });

  it('has a policy that its cases hold, each policy decided by one of them at least', async () => {
    const policy = join(ROOT, 'examples', name, 'policy');
    const { code, out } = await writ({ cwd: ROOT }, 'policy', 'test', policy, '--json');
    expect(code, out).toBe(0);
    const cases = readdirSync(join(policy, 'cases')).map((file) =>
      readFileSync(join(policy, 'cases', file), 'utf8'),
    );
    const policies = readdirSync(policy).filter((file) => file.endsWith('.cedar'));
    for (const file of policies) {
      for (const [, id = ''] of readFileSync(join(policy, file), 'utf8').matchAll(/@id\("([^"]+)"\)/g)) {
        expect(cases.join('\n'), `${file}: no case is decided by ${id}`).toMatch(
          new RegExp(`determining: \\[[^\\]]*\\b${id}\\b`),
        );
      }
    }
  });
});

describe('the examples', () => {
  it('are all run here, and each says what it shows', () => {
    const examples = readdirSync(join(ROOT, 'examples'), { withFileTypes: true })
      .filter(
        (entry) => entry.isDirectory() && readdirSync(join(entry.parentPath, entry.name)).includes('policy'),
      )
      .map(({ name }) => name);
    expect(examples.sort()).toEqual(Object.keys(EXAMPLES).sort());
    for (const name of examples) {
      const page = readFileSync(join(ROOT, 'examples', name, 'README.md'), 'utf8');
      expect(page).toContain(`node examples/${name}/main.ts`);
      expect(readFileSync(join(ROOT, 'examples', 'README.md'), 'utf8')).toContain(`(${name}/README.md)`);
    }
  });
});
