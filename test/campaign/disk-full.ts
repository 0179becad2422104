/**
 * A disk that fills up behind the running daemon, and has room again, round after round:
 * `node test/campaign/disk-full.ts [--rounds 20] [--short]`. Needs root, for a file system of its own. Callers go on all the
 * time; what they were told is held against the log in the end.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isDenial } from '../../src/denial/index.ts';
import { connectGovernor, revoke } from '../../src/governor/index.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded } from './load-daemon.ts';
import { fixed, progress, report } from './load-report.ts';
import { LOAD_POLICY, Traffic } from './load-traffic.ts';

const CALLERS = 16;
const FULL_MS = 1500;
const OPEN_MS = 1000;
const RECOVER_TIMEOUT_MS = 15_000;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, short: { type: 'boolean', default: false } },
});
const rounds = values.short ? 3 : Number(values.rounds);

const folder = mkdtempSync(join(tmpdir(), 'writ-disk-full-'));
const disk = SmallDisk.mount(join(folder, 'disk'), '400m');
if (disk === undefined) {
  rmSync(folder, { recursive: true });
  process.exit(3);
}
const domain = await TestDomain.create(LOAD_POLICY, { within: disk.folder });
const daemon = await LoadDaemon.start(domain.home);
let going = true;
try {
  const point = must(await connectGovernor({ home: domain.home, name: 'full', components: [] }));
  if (point === undefined) throw new Error('no daemon');
  const acknowledged = new Acknowledged();
  const traffic = new Traffic(domain, point, acknowledged, ['log.unavailable']);
  const { violations } = acknowledged;
  const permits = (): number => acknowledged.codes.get('permit') ?? 0;
  const until = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<number> => {
    const startedMs = performance.now();
    while (!(await isSo())) {
      if (performance.now() - startedMs > RECOVER_TIMEOUT_MS) {
        violations.push(`${what}: not within ${RECOVER_TIMEOUT_MS} ms`);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return performance.now() - startedMs;
  };
  let refusedRevocations = 0;
  let revocations = 0;
  const isRevoked = async (): Promise<boolean> => {
    revocations += 1;
    const by = { actor: 'disk-full', atSeconds: nowSeconds() };
    const denial = await revoke(domain.home, { handle: 'token', value: `unrelated-${revocations}` }, by);
    return !isDenial(denial);
  };
  // The first calls compile what the others use.
  await traffic.callers(CALLERS, OPEN_MS);
  const first = await daemon.sample(true);
  let roundsMs = 0;
  const recoveries: number[] = [];
  const governance: number[] = [];
  const callers = (async () => {
    while (going) await traffic.callers(CALLERS, 250);
  })();
  for (let round = 1; round <= rounds; round += 1) {
    const startedMs = performance.now();
    disk.fill();
    const unavailable = acknowledged.codes.get('log.unavailable') ?? 0;
    await until(
      'denied for want of room',
      () => (acknowledged.codes.get('log.unavailable') ?? 0) > unavailable,
    );
    // What is on its way is answered; from then on nothing may run.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const [effects, permitted] = [traffic.effects, permits()];
    if (!(await isRevoked())) refusedRevocations += 1;
    await new Promise((resolve) => setTimeout(resolve, FULL_MS));
    if (traffic.effects !== effects) violations.push(`round ${round}: effects while the disk was full`);
    if (permits() !== permitted) violations.push(`round ${round}: permits while the disk was full`);
    disk.free();
    const [back, governed] = await Promise.all([
      until('permitted again', () => permits() > permitted),
      until('revoked again', isRevoked),
    ]);
    recoveries.push(back);
    governance.push(governed);
    await new Promise((resolve) => setTimeout(resolve, OPEN_MS));
    if (!daemon.isRunning) violations.push(`round ${round}: the daemon ended`);
    progress({
      round,
      backMs: Math.round(back),
      governedMs: Math.round(governed),
      ...rounded(await daemon.sample()),
    });
    roundsMs += performance.now() - startedMs;
  }
  going = false;
  await callers;
  const last = await daemon.sample(true);
  await point.close();
  await daemon.stop();
  const audit = auditLoad(domain.home, 'full', acknowledged);
  const max = (times: readonly number[]): number => Math.round(Math.max(...times));
  report(
    {
      rounds,
      seconds: fixed(roundsMs / 1000),
      calls: traffic.calls,
      effects: traffic.effects,
      codes: Object.fromEntries(acknowledged.codes),
      unrecorded: Object.fromEntries(acknowledged.unrecorded),
      refusedRevocations,
      longestUntilDecidedMs: max(recoveries),
      longestUntilRevocableMs: max(governance),
      memory: [rounded(first), rounded(last)],
      audit: { ...audit, violations: undefined },
    },
    audit.violations,
  );
} finally {
  going = false;
  await daemon.stop();
  disk.unmount();
  rmSync(folder, { recursive: true, force: true });
}
