import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as critical from '../../examples/critical-infrastructure/main.ts';
import * as orchestration from '../../examples/distributed-orchestration/main.ts';
import * as enterprise from '../../examples/enterprise-automation/main.ts';
import * as financial from '../../examples/financial-execution/main.ts';
import * as healthcare from '../../examples/healthcare-operations/main.ts';
import * as infrastructure from '../../examples/infrastructure-operations/main.ts';
import * as machine from '../../examples/machine-workflows/main.ts';
import { must } from '../../examples/support/must.ts';
import type { PlayOptions, Report } from '../../examples/support/scenario.ts';
import { checkConstraint, parseConstraint } from '../../src/artifact/index.ts';
import { makeFolder, writ } from '../../src/cli/run.test-support.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import { testConfiner } from '../../src/enforce/exec/confined.test-support.ts';
import { findSecret, readTree } from '../support/planted-secret.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Example {
  readonly play: (options: PlayOptions) => Promise<Report>;
  /** Whether this machine has what it needs. Default: it has. */
  readonly isPlayable?: boolean;
  /** What must come of it, in this order. */
  readonly comes: readonly string[];
  /** What the world must look like at the end: files of the story and their content. */
  readonly leaves: Readonly<Record<string, string>>;
}

const IS_CONFINED = testConfiner() !== undefined;

const EXAMPLES: Readonly<Record<string, Example>> = {
  'infrastructure-operations': {
    play: infrastructure.play,
    isPlayable: IS_CONFINED,
    comes: [
      'approval.required',
      'approval.required',
      'permit',
      'approval.required',
      'approval.required',
      ...Array<string>(4).fill('scope.arguments_not_granted'),
      'permit',
    ],
    leaves: {},
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
  'enterprise-automation': {
    play: enterprise.play,
    comes: [
      'permit',
      'permit',
      ...Array<string>(5).fill('scope.arguments_not_granted'),
      'policy.not_permitted',
      'permit',
      'policy.forbidden',
      'revocation.revoked',
    ],
    leaves: { sent: 'ada@acme.example: help is on its way\n' },
  },
  'healthcare-operations': {
    play: healthcare.play,
    comes: [
      'permit',
      'scope.arguments_not_granted',
      'policy.not_permitted',
      'policy.forbidden',
      'scope.arguments_not_granted',
      'permit',
      'permit',
      'policy.not_permitted',
      'scope.tool_not_granted',
    ],
    leaves: { 'p-17.notes': 'sleeps-badly-since-june\n' },
  },
  'machine-workflows': {
    play: machine.play,
    isPlayable: IS_CONFINED,
    comes: [
      'permit',
      ...Array<string>(6).fill('scope.arguments_not_granted'),
      'permit',
      'scope.outside_window',
    ],
    leaves: {},
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

describe.each(Object.entries(EXAMPLES))(
  'the example %s',
  (name, { play, isPlayable = true, comes, leaves }) => {
    const { folder, remove } = makeFolder();
    let report: Report;
    let output = '';

    beforeAll(async () => {
      if (!isPlayable) return;
      report = await play({ folder: join(folder, name), write: (text) => (output += text) });
    });
    afterAll(remove);

    it.runIf(isPlayable)('goes as it says, with receipts, logs and evidence that verify', () => {
      expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
      expect(report.steps.map(({ came }) => came)).toEqual(comes);
      expect(report).toMatchObject({ ok: true, logsVerified: true, bundleVerified: true });
      expect(output).not.toContain('UNEXPECTED');
      expect(new Set(report.steps.map(({ receipt }) => receipt)).size).toBe(comes.length);
    });

    it.runIf(isPlayable)('leaves the world as only its permits have made it', () => {
      for (const [file, content] of Object.entries(leaves)) {
        const text = readFileSync(join(folder, name, 'world', file), 'utf8');
        expect(text).toBe(content);
      }
    });

    it.runIf(name === 'healthcare-operations')('keeps nothing of a record, in whatever form', () => {
      const files = readTree(report.home.folder);
      for (const text of healthcare.CONFIDENTIAL) expect(findSecret(text, files)).toEqual([]);
      // The evidence that an outsider gets holds no note either.
      const bundle = new Map([['evidence', readFileSync(join(folder, name, 'evidence.json'))]]);
      for (const text of healthcare.CONFIDENTIAL) expect(findSecret(text, bundle)).toEqual([]);
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
            new RegExp(`determining"?: ?\\[[^\\]]*\\b${id}\\b`),
          );
        }
      }
    });
  },
);

interface Grammar {
  readonly of: string;
  readonly file: string;
  readonly good: readonly string[];
  readonly ways: readonly (readonly [way: string, words: readonly string[]])[];
}

const GRAMMARS: readonly Grammar[] = [
  {
    of: 'the backup',
    file: 'machine-workflows/backup-argv.json',
    good: ['--create', '--file=/backups/x.tar', '/data'],
    ways: Object.entries(machine.WAYS_OUT('/backups/was-here')).flatMap(([way, words]) => {
      const line = ['--create', '--file=/backups/x.tar'];
      return [
        [way, [...words, ...line, '/data']],
        [`${way}, behind the flags`, [...line, ...words, '/data']],
        [`${way}, at the end`, [...line, '/data', ...words]],
        [`${way}, behind --`, [...line, '--', ...words, '/data']],
      ];
    }),
  },
  {
    of: 'applying a plan',
    file: 'infrastructure-operations/apply-argv.json',
    good: ['apply', '--input=false', '/dev/stdin'],
    ways: Object.entries(infrastructure.WAYS_OUT),
  },
];

describe.each(GRAMMARS)('the grammar of $of', ({ file, good, ways }) => {
  const text = readFileSync(join(ROOT, 'examples', file), 'utf8');
  const grammar: JsonObject = JSON.parse(text.replace('BACKUPS', '/backups').replace('DATA', '/data'));
  const argv = must(parseConstraint({ constraint_type: 'argv', ...grammar }));

  it('holds for what it is for', () => {
    expect(checkConstraint(argv, good)).toBe(true);
  });

  it.each(ways)('refuses %s', (_, words) => {
    expect(checkConstraint(argv, words)).toBe(false);
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
