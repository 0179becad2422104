import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { startDaemon } from '../../../test/support/daemon-client.ts';
import { SmallDisk } from '../../../test/support/small-disk.ts';
import { must, nowSeconds, TestDomain } from '../../../test/support/trust-domain.ts';
import { isDenial } from '../../denial/index.ts';
import { connectGovernor, findExecution, type Outcome, revoke } from '../../governor/index.ts';

const codeOf = (outcome: Outcome<unknown>) => (outcome.verdict === 'permit' ? 'permit' : outcome.denial.code);

it('denies and runs nothing while the disk is full, and goes on without a restart when there is room', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-full-'));
  const disk = SmallDisk.mount(join(folder, 'disk'), '16m');
  if (disk === undefined) {
    rmSync(folder, { recursive: true });
    return context.skip();
  }
  const domain = await TestDomain.create(undefined, { within: disk.folder });
  const daemon = await startDaemon(domain.home);
  try {
    const point = must(await connectGovernor({ home: domain.home, name: 'fs', components: [] }));
    if (point === undefined) throw new Error('no daemon');
    let runs = 0;
    const call = (chain = [domain.issue()]) =>
      point.governor.run(domain.call(chain, { audience: point.audience }), async () => {
        runs += 1;
        return { status: 'succeeded', value: 1 };
      });
    expect(codeOf(await call())).toBe('permit');

    // One runs while the disk fills up, and ends while it is full.
    let end = () => {};
    let started = () => {};
    const isRunning = new Promise<void>((resolve) => (started = resolve));
    const long = point.governor.run(
      domain.call([domain.issue()], { audience: point.audience }),
      () =>
        new Promise<{ status: 'succeeded'; value: number }>((resolve) => {
          end = () => resolve({ status: 'succeeded', value: 2 });
          started();
        }),
    );
    await isRunning;
    disk.fill();
    let last = await call();
    while (codeOf(last) === 'permit') last = await call();
    expect(codeOf(last)).toBe('log.unavailable');
    expect(last.receiptIndex).toBeUndefined();
    const before = runs;
    end();
    const ended = await long;
    for (let more = 0; more < 3; more += 1) expect(codeOf(await call())).toBe('log.unavailable');
    expect(runs).toBe(before);
    const by = { actor: 'test', atSeconds: nowSeconds() };
    const doomed = domain.issue();
    const revocation = { handle: 'subject', value: domain.home.agent('other') } as const;
    // The governance log has its own writer: it may have had room left in its files.
    let refused = await revoke(domain.home, revocation, by);
    for (let tries = 0; tries < 2000 && !isDenial(refused); tries += 1) {
      refused = await revoke(domain.home, { ...revocation, value: domain.home.agent(`other-${tries}`) }, by);
    }
    expect(isDenial(refused) && refused.code).toBe('log.unavailable');
    expect(daemon.status().ready).toBe(false);
    expect(daemon.status().problems.join('\n')).toContain('execution log fs');

    disk.free();
    await vi.waitFor(() => expect(daemon.status()).toMatchObject({ ready: true, problems: [] }), 5000);
    expect(codeOf(await call([doomed]))).toBe('permit');
    expect(
      await revoke(domain.home, { ...revocation, value: domain.home.agent('worker') }, by),
    ).toBeUndefined();
    expect(codeOf(await call([doomed]))).toBe('revocation.revoked');
    const found = findExecution(domain.home, ended.executionId);
    expect(found?.record.outcome?.status).toBe('succeeded');
    found?.reader.close();
    await point.close();
  } finally {
    await daemon.close();
    domain.dispose();
    disk.unmount();
    rmSync(folder, { recursive: true });
  }
}, 20_000);
