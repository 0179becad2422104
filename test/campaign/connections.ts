/**
 * Connections that are opened and say nothing, while one caller works:
 * `node test/campaign/connections.ts [--connections 10000] [--short]`, over the Unix socket, over TCP with TLS, and over TCP with
 * TLS where the configured bound is below what is opened.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { get as httpsGet } from 'node:https';
import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseArgs } from 'node:util';
import { connectGovernor, readDaemonFile } from '../../src/governor/index.ts';
import { TestAuthority } from '../support/certificates.ts';
import { must, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded } from './load-daemon.ts';
import { progress, report } from './load-report.ts';
import { LOAD_POLICY, Traffic } from './load-traffic.ts';

const AT_ONCE = 100;
const CALLS_MS = 3000;
const CONNECT_TIMEOUT_MS = 20_000;
const BOUND = 500;
/** Fewer than there are connections: the logs must have theirs. */
const FEW_FILES = 400;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    connections: { type: 'string', default: '10000' },
    short: { type: 'boolean', default: false },
  },
});
const count = values.short ? 2000 : Number(values.connections);

const domain = await TestDomain.create(LOAD_POLICY);
const authority = new TestAuthority(domain.folder, 'ca');
const certificate = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
/** @param more further lines of `limits`. */
const configure = (more: readonly string[] = []) =>
  writeFileSync(
    domain.home.configFile,
    [
      'listen:',
      '  port: 0',
      '  tls:',
      `    certificateFile: ${certificate.cert}`,
      '    key:',
      `      file: ${certificate.key}`,
      'limits:',
      '  anonymousPerSecond: 1000',
      ...more,
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
const acknowledged = new Acknowledged();
const { violations } = acknowledged;
const results: Record<string, unknown> = {};

/** Opens many; resolves with those that stand. */
async function openAll(open: () => Socket, ready: 'connect' | 'secureConnect'): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let start = 0; start < count; start += AT_ONCE) {
    const wave = Array.from({ length: Math.min(AT_ONCE, count - start) }, async () => {
      const socket = open();
      socket.on('error', () => undefined);
      const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
      const isOpen = await Promise.race([
        once(socket, ready, { signal: timeout }).then(
          () => true,
          () => false,
        ),
        once(socket, 'close', { signal: timeout }).then(
          () => false,
          () => false,
        ),
      ]);
      // Its end is not heard otherwise.
      socket.resume();
      if (isOpen) sockets.push(socket);
      else socket.destroy();
    });
    await Promise.all(wave);
  }
  return sockets;
}

/** The answer to a request over TCP; the error's code where there is none. */
function ask(url: string): Promise<number | string> {
  return new Promise((resolve) => {
    const request = httpsGet(new URL('/healthz', url), {
      rejectUnauthorized: false,
      agent: false,
      timeout: 10_000,
    });
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

async function settled(daemon: LoadDaemon, most: number, withinMs: number): Promise<number> {
  const startedMs = performance.now();
  while ((await daemon.sample()).files > most && performance.now() - startedMs < withinMs) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return Math.round(performance.now() - startedMs);
}

interface Play {
  readonly over: 'unix' | 'tls';
  /** Configured. */
  readonly bound?: number;
  /** Open files the daemon may have; default: enough. */
  readonly files?: number;
}

async function play(name: string, { over, bound, files = count + 2000 }: Play): Promise<void> {
  configure(bound === undefined ? [] : [`  maxConnections: ${bound}`]);
  const daemon = await LoadDaemon.start(domain.home, { files });
  try {
    const point = must(await connectGovernor({ home: domain.home, name: 'idle', components: [] }));
    if (point === undefined) throw new Error('no daemon');
    const traffic = new Traffic(domain, point, acknowledged);
    await traffic.callers(4, CALLS_MS);
    const quiet = traffic.takeLatencies();
    const before = await daemon.sample(true);
    const url = daemon.url ?? '';
    const address = must(readDaemonFile(domain.home));
    const open = () =>
      over === 'unix'
        ? createConnection(address?.socket ?? '')
        : connectTls({ host: '127.0.0.1', port: Number(new URL(url).port), rejectUnauthorized: false });
    const startedMs = performance.now();
    const sockets = await openAll(open, over === 'unix' ? 'connect' : 'secureConnect');
    const openedMs = Math.round(performance.now() - startedMs);
    let closedByServer = 0;
    for (const socket of sockets) socket.once('close', () => (closedByServer += 1));
    const held = await daemon.sample();
    await traffic.callers(4, CALLS_MS);
    const during = traffic.takeLatencies();
    const answered = await ask(url);
    // With a bound: whoever comes when it is reached is turned away; it is reached only while they all still stand.
    const most = bound ?? files;
    const isFull = most < count && sockets.filter(({ destroyed }) => !destroyed).length >= most / 2;
    if (!isFull && answered !== 200) violations.push(`${name}: a caller over TCP was answered ${answered}`);
    const collected = await daemon.sample(true);
    const left = sockets.filter(({ destroyed }) => !destroyed).length;
    const closed = closedByServer;
    for (const socket of sockets) socket.destroy();
    const goneMs = await settled(daemon, before.files + 20, 20_000);
    const again = await ask(url);
    if (again !== 200) violations.push(`${name}: after they had gone a caller was answered ${again}`);
    await traffic.callers(4, CALLS_MS);
    const afterwards = traffic.takeLatencies();
    const after = await daemon.sample(true);
    if (after.files > before.files + 20) violations.push(`${name}: ${after.files} open files are left`);
    if (after.heap > before.heap + 16) violations.push(`${name}: the heap grew to ${after.heap} MiB`);
    if (bound !== undefined && held.files > bound + before.files + 20) {
      violations.push(`${name}: ${held.files} open files with a bound of ${bound}`);
    }
    const kibEach = Math.round(((held.rss - before.rss) * 1024) / Math.max(1, sockets.length));
    const facts = {
      ...{
        asked: count,
        bound,
        opened: sockets.length,
        openedMs,
        closedByServer: closed,
        leftAfterCalls: left,
      },
      ...{ answered, again, goneMs, kibEach },
      decisionMs: { quiet, during, afterwards },
      memory: {
        before: rounded(before),
        held: rounded(held),
        collected: rounded(collected),
        after: rounded(after),
      },
    };
    progress({ name, ...facts });
    results[name] = facts;
    await point.close();
  } finally {
    await daemon.stop();
  }
}

try {
  const plays: Readonly<Record<string, Play>> = {
    unix: { over: 'unix' },
    tls: { over: 'tls' },
    bounded: { over: 'tls', bound: BOUND },
    'few files': { over: 'tls', files: FEW_FILES },
    'few files, unix': { over: 'unix', files: FEW_FILES },
  };
  for (const [name, one] of Object.entries(plays)) {
    if (values.only === undefined || values.only === name) await play(name, one);
  }
  const audit = auditLoad(domain.home, 'idle', acknowledged);
  report(
    {
      ...results,
      codes: Object.fromEntries(acknowledged.codes),
      unrecorded: Object.fromEntries(acknowledged.unrecorded),
      audit: { ...audit, violations: undefined },
    },
    audit.violations,
  );
} finally {
  domain.dispose();
}
