/**
 * Many callers at once, each asking one decision after another: `node test/campaign/callers.ts [--callers 500] [--seconds 20]
 * [--short]`. They share one connection pool of 128, as the callers of one enforcement point do.
 */
import { parseArgs } from 'node:util';
import { connectGovernor } from '../../src/governor/index.ts';
import { must, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded } from './load-daemon.ts';
import { report } from './load-report.ts';
import { LOAD_POLICY, Traffic } from './load-traffic.ts';

const { values } = parseArgs({
  options: {
    callers: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    short: { type: 'boolean', default: false },
  },
});
const callers = Number(values.callers);
const seconds = values.short ? 5 : Number(values.seconds);

const domain = await TestDomain.create(LOAD_POLICY);
const daemon = await LoadDaemon.start(domain.home);
try {
  const point = must(await connectGovernor({ home: domain.home, name: 'many', components: [] }));
  if (point === undefined) throw new Error('no daemon');
  const acknowledged = new Acknowledged();
  const traffic = new Traffic(domain, point, acknowledged);
  await traffic.callers(16, 2000);
  traffic.takeLatencies();
  const before = await daemon.sample(true);
  const warm = traffic.calls;
  const startedMs = performance.now();
  await traffic.callers(callers, seconds * 1000);
  const tookMs = performance.now() - startedMs;
  const calls = traffic.calls - warm;
  const decisionMs = traffic.takeLatencies();
  const busy = await daemon.sample();
  await traffic.callers(4, 1000);
  const afterwards = traffic.takeLatencies();
  const after = await daemon.sample(true);
  await point.close();
  await daemon.stop();
  const audit = auditLoad(domain.home, 'many', acknowledged);
  if (acknowledged.unrecorded.size > 0) acknowledged.violations.push('answers named no receipt');
  report(
    {
      callers,
      calls,
      perSecond: Math.round(calls / (tookMs / 1000)),
      decisionMs,
      afterwards,
      memory: { before: rounded(before), busy: rounded(busy), after: rounded(after) },
      codes: Object.fromEntries(acknowledged.codes),
      audit: { ...audit, violations: undefined },
    },
    audit.violations,
  );
} finally {
  await daemon.stop();
  domain.dispose();
}
