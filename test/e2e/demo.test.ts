import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type DemoReport, runDemo } from '../../examples/demo/main.ts';
import { freshFolder } from '../../examples/support/fresh-folder.ts';
import { writ } from '../../src/cli/run.test-support.ts';
import { isDenial } from '../../src/denial/index.ts';
import { type DecisionReceipt, parseDecisionReceipt } from '../../src/receipt/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { processesIn } from './cli-program.ts';

/** What each of the eight conditions must leave on disk: nothing, or what was there before. */
const CONDITIONS: Readonly<Record<string, { code: string; file: string; content?: string }>> = {
  'missing authorization': { code: 'artifact.missing', file: 'reports/without-artifact.txt' },
  'invalid signature': { code: 'artifact.signature_invalid', file: 'reports/forged-signature.txt' },
  'policy mismatch': {
    code: 'policy.forbidden',
    file: 'payroll/november.csv',
    content: 'name,amount\nada,1200\n',
  },
  'runtime identity failure': { code: 'identity.proof_invalid', file: 'reports/stolen-artifact.txt' },
  'environmental integrity': { code: 'environment.mismatch', file: 'reports/changed.md' },
  replay: { code: 'replay.detected', file: 'reports/replayed.txt' },
  'revoked authorization': { code: 'revocation.revoked', file: 'reports/late.md' },
  'lineage inconsistency': { code: 'lineage.parent_denied', file: 'reports/lineage.md' },
};

describe('the demo', () => {
  const parent = mkdtempSync(join(tmpdir(), 'writ-demo-'));
  const folder = join(parent, 'demo');
  let report: DemoReport;
  let output = '';
  let receipts: Map<string, DecisionReceipt>;

  beforeAll(async () => {
    report = await runDemo({ folder, color: false, write: (text) => (output += text) });
    const reader = openSqliteLogReader(report.world.home.executionLogFolder('fs'));
    const entries = reader.read(0, reader.head().size).map(parseDecisionReceipt);
    receipts = new Map(entries.flatMap((entry) => (isDenial(entry) ? [] : [[entry.id, entry] as const])));
    reader.close();
  }, 120_000);

  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it('goes as it says: at least 16 calls, logs and bundle verified', async () => {
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.steps.length).toBeGreaterThanOrEqual(16);
    expect(report).toMatchObject({ ok: true, logVerified: true, bundleVerified: true });
    expect(output).not.toContain('UNEXPECTED');
    // It leaves files to look at, and no process.
    await vi.waitFor(() => expect(processesIn(folder)).toEqual([]), 5_000);
  });

  it('is derived again from its logs, and comes out the same', async () => {
    const { code, json } = await writ(
      { cwd: parent },
      'log',
      'replay',
      '--home',
      report.world.home.folder,
      '--json',
    );
    const logs = json.logs as Record<string, number>[];
    expect(json.same).toBe(true);
    expect(
      logs.every(
        ({ differences, lost, undetermined }) => differences === 0 && lost === 0 && undetermined === 0,
      ),
    ).toBe(true);
    expect(logs.reduce((sum, { same = 0 }) => sum + same, 0)).toBeGreaterThanOrEqual(16);
    expect(code).toBe(0);
  });

  it.each(Object.entries(CONDITIONS))(
    'denies on %s: the disk is untouched and the log holds the denial',
    (condition, { code, file, content }) => {
      const step = report.steps.find((candidate) => candidate.condition === condition);
      expect(step?.answer).toMatchObject({ verdict: 'deny', code });
      const path = join(report.world.workspace, file);
      expect(existsSync(path) ? readFileSync(path, 'utf8') : undefined).toBe(content);
      const receipt = receipts.get(step?.answer.receipt ?? '');
      expect(receipt).toMatchObject({ verdict: 'deny', code });
    },
  );

  it('has a permit receipt for everything that did happen', () => {
    for (const { answer } of report.steps.filter((step) => step.answer.verdict === 'permit')) {
      expect(receipts.get(answer.receipt ?? '')?.verdict).toBe('permit');
    }
    expect(readFileSync(join(report.world.workspace, 'reports', 'week.md'), 'utf8')).toBe(
      'write the report\n',
    );
    expect(readFileSync(join(report.world.workspace, 'reports', 'summary.md'), 'utf8')).toBe(
      'write a summary\n',
    );
  });

  it('begins anew in its own folder', () => {
    const own = join(parent, 'own');
    freshFolder(own, '.marker');
    writeFileSync(join(own, 'left'), 'of the last time');
    freshFolder(own, '.marker');
    expect(readdirSync(own)).toEqual(['.marker']);
  });

  it('is not run in a folder that is not its own', async () => {
    await expect(runDemo({ folder: parent, color: false, write: () => {} })).rejects.toThrow(
      'not a demo folder',
    );
    expect(existsSync(folder)).toBe(true);
  });
});
