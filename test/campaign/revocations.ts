/**
 * A storm of revocations while decisions and running executions go on:
 * `node test/campaign/revocations.ts [--revocations 10000] [--seconds 60] [--running 200] [--short]`. Each revocation is a
 * request of its own, as `writ artifact revoke` makes it. Some are of artifacts that something runs under.
 */
import { parseArgs } from 'node:util';
import { readToken } from '../../src/artifact/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { connectGovernor, openGovernanceFollower, revoke } from '../../src/governor/index.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded } from './load-daemon.ts';
import { fixed, progress, report } from './load-report.ts';
import { LOAD_POLICY, Traffic } from './load-traffic.ts';

const DECISIONS_PER_SECOND = 50;
const QUIET_MS = 5000;
const SAMPLED = 200;
const MAX_WAITING = 512;

const { values } = parseArgs({
  options: {
    revocations: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    running: { type: 'string', default: '200' },
    short: { type: 'boolean', default: false },
  },
});
const total = values.short ? 1670 : Number(values.revocations);
const stormMs = values.short ? 10_000 : Number(values.seconds) * 1000;
const runningCount = Number(values.running);

const domain = await TestDomain.create(LOAD_POLICY);
const daemon = await LoadDaemon.start(domain.home);
try {
  const point = must(await connectGovernor({ home: domain.home, name: 'storm', components: [] }));
  if (point === undefined) throw new Error('no daemon');
  const acknowledged = new Acknowledged();
  const { violations } = acknowledged;
  const traffic = new Traffic(domain, point, acknowledged);
  const { audience } = point;
  const quiet = async () => {
    await traffic.atRate(DECISIONS_PER_SECOND, values.short ? 2000 : QUIET_MS);
    return traffic.takeLatencies();
  };
  await quiet();

  // What runs, each under an artifact of its own, until it is stopped or told to end.
  const endAll = new AbortController();
  const stops: number[] = [];
  const revokedAt = new Map<string, number>();
  let terminated = 0;
  const running = Array.from({ length: runningCount }, (_, at) => {
    const token = domain.issue({ audiences: [audience] });
    const { jti } = must(readToken(token));
    const args = { path: `/running/${at}` };
    let ran = false;
    const ended = point.governor
      .run(domain.call([token], { audience, args }), async ({ signal }) => {
        ran = true;
        await new Promise<void>((resolve) => {
          const stopped = () => {
            stops.push(performance.now() - (revokedAt.get(jti) ?? performance.now()));
            resolve();
          };
          signal.addEventListener('abort', stopped, { once: true });
          endAll.signal.addEventListener('abort', () => resolve(), { once: true });
        });
        return { status: 'succeeded', value: undefined };
      })
      .then((outcome) => {
        acknowledged.take(outcome, ran);
        if (outcome.verdict === 'deny') {
          if (outcome.denial.code !== 'revocation.revoked')
            violations.push(`stopped: ${outcome.denial.code}`);
          terminated += 1;
        }
      });
    return { jti, ended };
  });
  const before = await quiet();
  const memoryBefore = await daemon.sample(true);

  const tokens: { readonly token: string; readonly jti: string }[] = [];
  const latencies: number[] = [];
  let done = 0;
  const revokeOne = async (at: number) => {
    // Half of what runs is revoked, spread over the storm.
    const every = Math.floor(total / (runningCount / 2));
    const victim = at % every === 0 ? running[at / every] : undefined;
    let jti = victim?.jti;
    if (jti === undefined) {
      const token = domain.issue({ audiences: [audience] });
      jti = must(readToken(token)).jti;
      if (at % Math.floor(total / SAMPLED) === 1) tokens.push({ token, jti });
    }
    const startedMs = performance.now();
    revokedAt.set(jti, startedMs);
    const by = { actor: 'storm', atSeconds: nowSeconds() };
    const denial = await revoke(domain.home, { handle: 'token', value: jti }, by);
    latencies.push(performance.now() - startedMs);
    if (isDenial(denial)) violations.push(`revocation ${at}: ${denial.code} ${denial.detail}`);
    else done += 1;
  };
  const startedMs = performance.now();
  let late = 0;
  const storm = async () => {
    const waiting = new Set<Promise<void>>();
    for (let at = 0; at < total; at += 1) {
      const dueMs = (at / total) * stormMs;
      while (performance.now() - startedMs < dueMs) await new Promise((resolve) => setTimeout(resolve, 2));
      while (waiting.size >= MAX_WAITING) await Promise.race(waiting);
      if (performance.now() - startedMs > dueMs + 1000) late += 1;
      const one = revokeOne(at);
      waiting.add(one);
      void one.finally(() => waiting.delete(one));
    }
    await Promise.all(waiting);
    return performance.now() - startedMs;
  };
  const watching = setInterval(() => {
    void daemon.sample().then((sample) => progress({ done, terminated, ...rounded(sample) }));
  }, 5000);
  const [tookMs] = await Promise.all([storm(), traffic.atRate(DECISIONS_PER_SECOND, stormMs)]);
  clearInterval(watching);
  const during = traffic.takeLatencies();
  const memoryAfter = await daemon.sample(true);
  // Each is in force: the next call under it is denied, and nothing runs.
  let effective = 0;
  for (const { token } of tokens) {
    let ran = false;
    const outcome = await point.governor.run(domain.call([token], { audience }), async () => {
      ran = true;
      return { status: 'succeeded', value: undefined };
    });
    acknowledged.take(outcome, ran);
    const code = outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
    if (code === 'revocation.revoked' && !ran) effective += 1;
    else violations.push(`a revoked artifact was answered ${code}`);
  }
  const after = await quiet();
  endAll.abort();
  await Promise.all(running.map(({ ended }) => ended));
  const expected = running.filter(({ jti }) => revokedAt.has(jti)).length;
  if (terminated !== expected)
    violations.push(`${terminated} of ${expected} running executions were stopped`);
  await point.close();
  await daemon.stop();
  const follower = must(openGovernanceFollower(domain.home));
  const stand = new Set(follower.view.state.revocations.map(({ value }) => value));
  const recorded = [...revokedAt.keys()].filter((jti) => stand.has(jti)).length;
  follower.close();
  if (recorded !== done) violations.push(`${done} revocations were acknowledged, ${recorded} are recorded`);
  const audit = auditLoad(domain.home, 'storm', acknowledged);
  const spread = (times: number[]) => {
    const sorted = times.toSorted((left, right) => left - right);
    const at = (share: number) =>
      fixed(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  };
  report(
    {
      revocations: total,
      acknowledged: done,
      recorded,
      seconds: fixed(tookMs / 1000),
      perSecond: Math.round(done / (tookMs / 1000)),
      startedLate: late,
      revocationMs: spread(latencies),
      sampled: tokens.length,
      effective,
      running: runningCount,
      terminated,
      fromAskingToStopMs: spread(stops),
      decisionMs: { before, during, after },
      memory: { before: rounded(memoryBefore), after: rounded(memoryAfter) },
      codes: Object.fromEntries(acknowledged.codes),
      audit: { ...audit, violations: undefined },
    },
    audit.violations,
  );
} finally {
  await daemon.stop();
  domain.dispose();
}
