import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestDomain } from '../../test/support/trust-domain.ts';
import { writ } from './run.test-support.ts';

const effect = async () => ({ status: 'succeeded' as const, value: 'done' });

let domain: TestDomain;
let root: string;
let child: string;
const run = (...argv: string[]) => writ({ cwd: domain.folder }, ...argv);

beforeAll(async () => {
  domain = await TestDomain.create();
  const { governor, audience, close } = await domain.open();
  const chain = [domain.issue()];
  root = (await governor.run(domain.call(chain, { audience }), effect)).executionId;
  await governor.settle();
  child = (await governor.run(domain.call(chain, { audience, parent: root }), effect)).executionId;
  await close();
  writeFileSync(join(domain.folder, 'governance.vkey'), domain.home.governanceVkey);
  expect((await run('lineage', 'bundle', child, '--out', 'lineage.json')).code).toBe(0);
});
afterAll(() => domain.dispose());

const logKey = () => join(domain.home.executionLogFolder('fs'), 'log.vkey');

describe('writ lineage bundle', () => {
  it('packs the lineage from its root, whichever execution is named, and verifies with either key', async () => {
    for (const key of [
      ['--log-key', logKey()],
      ['--governance-key', 'governance.vkey'],
    ]) {
      const { code, json } = await run('receipt', 'verify', 'lineage.json', ...key, '--json');
      expect(json).toMatchObject({
        verified: true,
        problems: [],
        about: { lineage: root },
        executions: [
          { execution: root, verified: true, rederived: 'same' },
          { execution: child, parent: root, verified: true, rederived: 'same' },
        ],
      });
      expect(code).toBe(0);
    }
  });

  it('does not verify where the root is taken out, or under another domain’s key', async () => {
    const bundle = JSON.parse(readFileSync(join(domain.folder, 'lineage.json'), 'utf8'));
    writeFileSync(
      join(domain.folder, 'cut.json'),
      JSON.stringify({ ...bundle, executions: bundle.executions.slice(1) }),
    );
    const cut = await run('receipt', 'verify', 'cut.json', '--log-key', logKey(), '--json');
    expect(cut).toMatchObject({ code: 1, json: { verified: false } });
    const other = await TestDomain.create();
    try {
      writeFileSync(join(domain.folder, 'other.vkey'), other.home.governanceVkey);
      const keys = ['--log-key', logKey(), '--governance-key', 'other.vkey'];
      const { code, json } = await run('receipt', 'verify', 'lineage.json', ...keys, '--json');
      expect(code).toBe(1);
      expect(JSON.stringify(json.problems)).toContain('governance key');
    } finally {
      other.dispose();
    }
  });
});
