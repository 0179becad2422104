import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestDomain, WRITE } from '../../test/support/trust-domain.ts';
import type { OpenedGovernor } from '../governor/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { type Ran, writ } from './run.test-support.ts';

let domain: TestDomain;
let opened: OpenedGovernor;
let execution = '';

const run = (...argv: string[]): Promise<Ran> => writ({ cwd: domain.folder }, ...argv);
const erase = (...argv: string[]) => run('evidence', 'erase', '--reason', 'asked to', '--json', ...argv);
const governanceSize = () => {
  const reader = openSqliteLogReader(domain.home.governanceFolder);
  const { size } = reader.head();
  reader.close();
  return size;
};

beforeAll(async () => {
  domain = await TestDomain.create();
  opened = await domain.open();
  const effect = async () => ({ status: 'succeeded', value: 1 }) as const;
  const chain = [domain.issue()];
  const call = (path: string) => domain.call(chain, { audience: opened.audience, args: { path } });
  ({ executionId: execution } = await opened.governor.run(call('/one'), effect));
  await opened.governor.run(call('/two'), effect);
  await opened.governor.settle();
});
afterAll(async () => {
  await opened.close();
  domain.dispose();
});

describe('recorded decisions on the command line', () => {
  it('replay beside the running gateway, and are simulated under another policy without a trace', async () => {
    const replayed = await run('log', 'replay', '--json');
    expect(replayed.json).toMatchObject({
      same: true,
      logs: [{ log: 'fs', same: 2, withheld: 0, erased: 0 }],
    });
    expect(replayed.code).toBe(0);

    const folder = join(domain.folder, 'narrow');
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'a.cedar'),
      'permit (principal, action, resource) when { context.lineage.depth > 3 };',
    );
    const size = governanceSize();
    const simulated = await run('policy', 'simulate', folder, '--since', '1d', '--json');
    // The folder lists no tools, so none can be evaluated.
    const [group] = simulated.json.logs as { groups: { tool: string; now: string; receipts: string[] }[] }[];
    expect(simulated.json).toMatchObject({ logs: [{ decisions: 2, notEvaluable: 2, stillPermitted: 0 }] });
    expect(group?.groups[0]).toMatchObject({ tool: WRITE, now: 'policy.evaluation_failed', count: 2 });
    expect(group?.groups[0]?.receipts).toContain(execution);
    expect(simulated.code).toBe(0);
    expect(governanceSize()).toBe(size);

    const text = await run('policy', 'simulate', folder, '--until', '2020-01-01');
    expect(text.out).toContain('0 decisions');
    expect((await run('policy', 'simulate', folder, '--since', '2026-02-31')).code).toBe(2);
  });

  it('are erased on record alone: not unasked, not beside a gateway, and not without saying what', async () => {
    const size = governanceSize();
    expect((await erase()).json.error).toMatchObject({ code: 'usage', message: 'what is erased?' });
    const beside = await erase('--execution', execution, '--yes');
    expect(beside.json.error).toMatchObject({
      code: 'log.unavailable',
      hint: expect.stringContaining('stop the gateway'),
    });
    expect(beside.code).toBe(1);
    await opened.close();
    expect((await erase('--execution', execution)).code).toBe(2);
    expect((await erase('--before', '2000-01-01', '--yes')).json.error).toMatchObject({ code: 'not_found' });
    expect((await erase('--execution', execution, '--dry-run')).json).toMatchObject({
      logs: [{ requests: 1, erased: 0 }],
    });
    expect(governanceSize()).toBe(size);
    expect((await run('log', 'replay', '--json')).json).toMatchObject({ logs: [{ same: 2 }] });

    const done = await erase('--execution', execution, '--yes');
    expect(done.json).toMatchObject({ logs: [{ log: 'fs', selected: 1, erased: 1 }], walRemains: false });
    expect(governanceSize()).toBe(size + 1);
    const replayed = await run('log', 'replay', '--json');
    expect(replayed.json).toMatchObject({ same: true, logs: [{ same: 1, erased: 1, lost: 0 }] });
    expect((await run('log', 'verify', '--json')).code).toBe(0);
  });
});
