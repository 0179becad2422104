/**
 * Clients that vanish in the middle: `node test/campaign/vanish.ts [--rounds 200] [--short]`. Each opens a session of its own
 * by hand, then breaks off at one of three moments: after it asked and before the answer, after the answer and before it told
 * the outcome, or in the middle of a request's body. Afterwards every decision is recorded, each permit has an outcome, and
 * nothing of them is left in the daemon.
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { parseArgs } from 'node:util';
import { readDaemonFile } from '../../src/governor/index.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded } from './load-daemon.ts';
import { progress, report } from './load-report.ts';

const AT_ONCE = 20;
const CALLS = 4;
const MOMENTS = ['before the answer', 'before the outcome', 'within the body'] as const;

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

/** @param whole false: it is not ended, so that the daemon waits for more. */
function send(path: string, body: string, whole = true): ClientRequest {
  const headers = {
    host: 'writ',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body) + (whole ? 0 : 10),
  };
  const outgoing = request({ socketPath, method: 'POST', path, headers, agent: false });
  outgoing.on('error', () => undefined);
  if (whole) outgoing.end(body);
  else outgoing.write(body);
  return outgoing;
}

const answerTo = (outgoing: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });

async function openSession(): Promise<{ readonly id: string; vanish(): void }> {
  const body = JSON.stringify({ components: [], measuredAtSeconds: nowSeconds() });
  const outgoing = send('/v1/enforcement-points/gone/sessions', body);
  const response = await answerTo(outgoing);
  response.setEncoding('utf8').on('error', () => undefined);
  const id = await new Promise<string>((resolve) => {
    let text = '';
    response.on('data', (chunk: string) => {
      text += chunk;
      const [, session] = /"session":"([^"]+)"/.exec(text) ?? [];
      if (session !== undefined) resolve(session);
    });
  });
  return { id, vanish: () => outgoing.destroy() };
}

let asked = 0;
async function client(moment: (typeof MOMENTS)[number]): Promise<void> {
  const session = await openSession();
  const calls = Array.from({ length: CALLS }, async (_, at) => {
    const { tool, args, presentation, toolDigest } = domain.call([domain.issue({ audiences: [audience] })], {
      audience,
      args: { path: `/${asked}-${at}` },
    });
    const body = JSON.stringify({ tool, args, presentation, toolDigest });
    asked += 1;
    const outgoing = send(`/v1/sessions/${session.id}/executions`, body, moment !== 'within the body');
    if (moment !== 'before the outcome') {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
      outgoing.destroy();
      return;
    }
    const response = await answerTo(outgoing);
    let text = '';
    for await (const chunk of response) text += String(chunk);
    const answer: { code?: string; receipt?: number } = JSON.parse(text);
    acknowledged.takeAnswer(answer.code ?? 'permit', answer.receipt);
  });
  await Promise.all(calls);
  session.vanish();
}

async function status(): Promise<{ sessions: number; running: number }> {
  const outgoing = request({ socketPath, path: '/v1/status', headers: { host: 'writ' }, agent: false });
  outgoing.end();
  let text = '';
  for await (const chunk of await answerTo(outgoing)) text += String(chunk);
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
