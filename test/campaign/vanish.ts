/**
 * Clients that vanish in the middle: `node test/campaign/vanish.ts [--rounds 200] [--short]`. Each opens a session of its own
 * by hand, then breaks off at one of three moments: after it asked and before the answer, after the answer and before it told
 * the outcome, or in the middle of a frame. Afterwards every decision is recorded, each permit has an outcome, and
 * nothing of them is left in the daemon.
 */
import { type IncomingMessage, request } from 'node:http';
import { createConnection } from 'node:net';
import { parseArgs } from 'node:util';
import type { JsonObject } from '../../src/codec/index.ts';
import { readDaemonFile } from '../../src/governor/index.ts';
import { TestSession } from '../support/test-session.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded } from './load-daemon.ts';
import { progress, report } from './load-report.ts';

const AT_ONCE = 20;
const CALLS = 4;
const MOMENTS = ['before the answer', 'before the outcome', 'within the frame'] as const;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, short: { type: 'boolean', default: false } },
});
const rounds = values.short ? 10 : Number(values.rounds);

const domain = await TestDomain.create();
const daemon = await LoadDaemon.start(domain.home);
const acknowledged = new Acknowledged();
const { violations } = acknowledged;
const socketPath = must(readDaemonFile(domain.home))?.socket ?? '';
const audience = domain.home.audience('gone');

async function openSession(): Promise<TestSession> {
  const url = 'ws://writ/v1/enforcement-points/gone/session';
  const session = await TestSession.connect(url, { createConnection: () => createConnection(socketPath) });
  if (typeof session === 'number') throw new Error(`no session: ${session}`);
  await session.ask({ id: 0, open: { components: [], measuredAtSeconds: nowSeconds() } });
  return session;
}

let asked = 0;
async function client(moment: (typeof MOMENTS)[number]): Promise<void> {
  const session = await openSession();
  const asks = Array.from({ length: CALLS }, (_, at) => {
    const token = domain.issue({ audiences: [audience] });
    const ask = domain.call([token], { audience, args: { path: `/${asked}-${at}` } });
    return { id: at + 1, ask: JSON.parse(JSON.stringify(ask)) as JsonObject };
  });
  asked += CALLS;
  if (moment === 'before the outcome') {
    for (const { body } of await Promise.all(asks.map((ask) => session.ask(ask)))) {
      const { code = 'permit', receipt } = body as { code?: string; receipt?: number };
      acknowledged.takeAnswer(code, receipt);
    }
  } else {
    if (moment === 'within the frame') session.sendPart(JSON.stringify(asks).slice(0, -100));
    else session.send(...asks);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
  }
  session.close();
}

async function status(): Promise<{ sessions: number; running: number }> {
  const outgoing = request({ socketPath, path: '/v1/status', headers: { host: 'writ' }, agent: false });
  outgoing.end();
  let text = '';
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject);
  });
  for await (const chunk of response) text += String(chunk);
  return JSON.parse(text);
}

async function waitUntilGone(): Promise<void> {
  const until = performance.now() + 10_000;
  for (let now = await status(); now.sessions > 0 || now.running > 0; now = await status()) {
    if (performance.now() > until) {
      violations.push(`${now.sessions} sessions and ${now.running} executions are left`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

try {
  let before = await daemon.sample(true);
  for (let round = 1; round <= rounds; round += 1) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, at) => client(MOMENTS[at % MOMENTS.length] ?? MOMENTS[0])),
    );
    await waitUntilGone();
    // The first ones fill the caches.
    if (round === Math.ceil(rounds / 4)) before = await daemon.sample(true);
    if (round % 10 === 0) progress({ round, asked, ...rounded(await daemon.sample()) });
  }
  const after = await daemon.sample(true);
  if (after.heap - before.heap > 8) violations.push(`the heap grew from ${before.heap} to ${after.heap} MiB`);
  if (after.files > before.files + 5)
    violations.push(`${after.files} open files are left of ${before.files}`);
  await daemon.stop();
  const audit = auditLoad(domain.home, 'gone', acknowledged);
  const all = [...audit.violations];
  if (audit.open > 0) all.push(`${audit.open} permits have no outcome`);
  report(
    {
      clients: rounds * AT_ONCE,
      asked,
      heard: acknowledged.permits + acknowledged.denials,
      codes: Object.fromEntries(acknowledged.codes),
      memory: { afterAQuarter: rounded(before), after: rounded(after) },
      audit: { ...audit, violations: undefined },
    },
    all,
  );
} finally {
  await daemon.stop();
  domain.dispose();
}
