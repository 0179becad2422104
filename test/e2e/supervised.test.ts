import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { WritClaim } from '../../src/artifact/index.ts';
import { writ } from '../../src/cli/run.test-support.ts';
import { type Digest, digestOf, type JsonObject } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import {
  programVersion,
  readEvidenceKey,
  replayLog,
  SupervisedProcess,
  systemClock,
  verifyEvidence,
} from '../../src/governor/index.ts';
import { readKeyFile } from '../../src/key/index.ts';
import { parseDecisionReceipt } from '../../src/receipt/index.ts';
import { DEFAULT_CONFIG } from '../../src/server/config/index.ts';
import { createLogger, Daemon } from '../../src/server/daemon/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { noteVerifier } from '../../src/tlog/index.ts';
import { TestSession } from '../support/test-session.ts';
import { must, nowSeconds, READ, TestDomain } from '../support/trust-domain.ts';

const WS = createRequire(import.meta.url).resolve('ws');
/** Speaks for itself: it connects as it was given to, and does whatever its standard input says. */
const AGENT = `
const { Socket, createConnection } = require('node:net');
const { WebSocket } = require(${JSON.stringify(WS)});
const [how] = process.argv.slice(2);
const connect = () => how === 'given' ? new Socket({ fd: 3, readable: true, writable: true }) : createConnection(how);
const socket = new WebSocket('ws://writ/v1/enforcement-points/web/session', 'writ.session.v1', {
  createConnection: connect, perMessageDeflate: false });
socket.on('open', () => console.log(JSON.stringify([{ up: process.env }])));
socket.on('message', (data) => console.log(String(data)));
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'exec') process.execve('/bin/sleep', ['sleep', '30'], {});
  socket.send(line);
});
`;
/** Code that was put into a process, and hides how: what /proc shows of a process' environment is that process' own memory. */
const EVIL = `
const fs = require('node:fs');
const stat = fs.readFileSync('/proc/self/stat', 'latin1');
const at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[47]);
const text = fs.readFileSync('/proc/self/environ', 'latin1');
const begin = text.indexOf('NODE_OPTIONS=');
const memory = fs.openSync('/proc/self/mem', 'r+');
fs.writeSync(memory, Buffer.alloc(text.indexOf('\\0', begin) - begin, 'X=1 '), 0, undefined, at + begin);
`;

const isLinux = process.platform === 'linux';
let domain: TestDomain;
let daemon: Daemon;
let script: string;
let evil: string;

beforeAll(async () => {
  domain = await TestDomain.create();
  script = join(domain.folder, 'agent.cjs');
  evil = join(domain.folder, 'evil.cjs');
  writeFileSync(script, AGENT);
  writeFileSync(evil, EVIL);
  mkdirSync(join(domain.folder, 'lib'));
  writeFileSync(join(domain.folder, 'lib', 'a.cjs'), '');
  const program = { name: 'web', command: process.execPath, cwd: domain.folder, environment: {} };
  const shell = { ...program, name: 'echo', command: '/bin/sh', files: [] };
  const supervised = [
    { ...program, args: [script, 'given'], files: ['lib'] },
    { ...shell, args: ['-c', 'cat; printf "|out"; printf err >&2; exit 7'] },
  ];
  const logger = createLogger(new Writable({ write: (_chunk, _encoding, done) => done() }));
  const version = programVersion();
  const { home } = domain;
  const config = { ...DEFAULT_CONFIG, supervised };
  // Whoever starts a daemon may have these set; what it starts has not.
  process.env.NODE_OPTIONS = `--require ${evil}`;
  process.env.LD_PRELOAD = '/nowhere.so';
  daemon = must(await Daemon.start({ home, clock: systemClock, version, logger, drainMs: 0, config }));
});
afterAll(async () => {
  delete process.env.NODE_OPTIONS;
  delete process.env.LD_PRELOAD;
  await daemon.close();
  domain.dispose();
});

/** A program's standard streams, a JSON line each way. */
class Program {
  readonly #said: JsonObject[] = [];
  readonly #looks = new Set<() => void>();
  readonly #write: (line: string) => void;
  #rest = '';
  #lastId = 0;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  hear(bytes: Buffer): void {
    const lines = (this.#rest + String(bytes)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#said.push(...(JSON.parse(line) as JsonObject[]));
    for (const look of this.#looks) look();
  }

  next(matches: (message: JsonObject) => boolean): Promise<JsonObject> {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.#said.find(matches);
        if (found === undefined) return;
        this.#looks.delete(look);
        resolve(found);
      };
      this.#looks.add(look);
      look();
    });
  }

  say(line: string): void {
    this.#write(`${line}\n`);
  }

  ask(request: JsonObject): Promise<JsonObject> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = this.next((message) => message.id === id);
    this.say(JSON.stringify([{ ...request, id }]));
    return answer;
  }
}

function supervise(name = 'web'): { program: Program; socket: WebSocket; closed: Promise<number> } {
  const socket = new WebSocket(`ws://writ/v1/supervised/${name}`, 'writ.supervise.v1', {
    createConnection: () => createConnection(daemon.socketPath),
  });
  const program = new Program((line) => socket.send(Buffer.concat([Buffer.of(0), Buffer.from(line)])));
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary && data[0] === 1) program.hear(data.subarray(1));
  });
  socket.on('error', () => undefined);
  return { program, socket, closed: new Promise((resolve) => socket.on('close', resolve)) };
}

const BOUND: NonNullable<WritClaim['environment']> = { assurance: 'supervisor', maxAgeSeconds: 60 };

function action(environment = BOUND): JsonObject {
  const audience = domain.home.audience('web');
  const initiator = { id: domain.home.agent('worker'), kind: 'agent' as const };
  const token = domain.issue({ audiences: [audience], writ: { initiator, environment } });
  const called = domain.call([token], { audience, tool: READ, args: { path: '/data/file.txt' } });
  return JSON.parse(JSON.stringify(called)) as JsonObject;
}

const open = (components: JsonObject[] = []) => ({ open: { components, measuredAtSeconds: nowSeconds() } });
const measured = (...components: JsonObject[]) => ({ components, measuredAtSeconds: nowSeconds() });
const digest: Digest = `sha256:${'0a'.repeat(32)}`;
const LOW = { status: 403, body: { code: 'environment.assurance_too_low' } };

function idOf(data: unknown): unknown {
  return (data as { execution?: unknown }).execution;
}

/** What the receipt says of a denial, which its caller is not told. */
function detailOf({ body }: JsonObject): string | undefined {
  const { receipt } = body as { receipt: number };
  const reader = openSqliteLogReader(domain.home.executionLogFolder('web'));
  const [entry = Buffer.of()] = reader.read(receipt, receipt + 1);
  reader.close();
  const read = must(parseDecisionReceipt(entry));
  return read.verdict === 'deny' ? read.detail : undefined;
}

test.runIf(isLinux)(
  'what the daemon started itself is vouched for, for as long as it says nothing else',
  async () => {
    const { program, socket } = supervise();
    const { up } = (await program.next((message) => 'up' in message)) as { up: Record<string, string> };
    expect(Object.keys(up).toSorted()).toEqual(
      ['HOME', 'NODE_OPTIONS', 'PATH', 'WRIT_HOME', 'WRIT_SUPERVISED'].toSorted(),
    );
    expect(up.NODE_OPTIONS).toBe('--disable-sigusr1');
    expect(await program.ask(open())).toMatchObject({ status: 200 });

    const scriptDigest = digestOf(readFileSync(script));
    const bound = (wanted: Digest) => ({
      ...BOUND,
      components: [{ kind: 'process', name: 'script', digest: wanted }],
    });
    const permitted = await program.ask({ ask: action(bound(scriptDigest)) });
    expect(permitted).toMatchObject({ status: 201 });
    expect(await program.ask({ ask: action(bound(digest)) })).toMatchObject({
      body: { code: 'environment.mismatch' },
    });

    const { execution } = (await program.ask({ ask: action() })).body as { execution: string };
    // What it runs is stopped as soon as it reports what its supervisor knows better.
    expect(await program.ask(measured({ kind: 'node', name: process.version, digest }))).toMatchObject({
      status: 200,
    });
    const stopped = await program.next(
      ({ event, data }) => event === 'terminated' && idOf(data) === execution,
    );
    expect(stopped).toMatchObject({ data: { code: 'environment.assurance_too_low' } });
    for (const [lie, why] of [
      [{ kind: 'node', name: process.version, digest }, 'another Node than it runs'],
      [{ kind: 'upstream', name: 'agent.cjs', digest }, 'another script than it was started with'],
      [{ kind: 'process', name: 'script', digest: scriptDigest }, 'what only its supervisor measures'],
    ] as const) {
      await program.ask(measured(lie));
      const denied = await program.ask({ ask: action() });
      expect(denied, why).toMatchObject(LOW);
      expect(detailOf(denied)).toContain(why);
    }
    await program.ask(measured({ kind: 'upstream', name: 'agent.cjs', digest: scriptDigest }));
    expect(await program.ask({ ask: action() })).toMatchObject({ status: 201 });

    // Replaced by another program, it has neither the session nor what ran in it.
    program.say('exec');
    await expect.poll(() => daemon.status()).toMatchObject({ sessions: 0, running: 0 });
    socket.terminate();

    // Anybody derives the same decisions from what was recorded, and from a bundle alone.
    await expect.poll(() => daemon.status().running).toBe(0);
    const { home } = domain;
    const evidenceKey = must(readEvidenceKey(home.evidenceKeyFile));
    const log = openSqliteLogReader(home.executionLogFolder('web'));
    const governance = openSqliteLogReader(home.governanceFolder);
    const readEvidence = (address: string) => log.readEvidence(address, evidenceKey);
    const report = await replayLog({ log, governance, readEvidence, evidenceKey });
    log.close();
    governance.close();
    expect(report).toMatchObject({ same: 7, different: [], withheld: 0 });
    const key = must(readKeyFile(home.logKeyFile('web'))).publicKey;
    const bundle = await domain.bundle(execution);
    const [one] = bundle.executions;
    const receipt = must(parseDecisionReceipt(Buffer.from(one?.decision.entry ?? '', 'base64')));
    expect(receipt.environment?.assurance).toBe('supervisor');
    const logs = [noteVerifier(home.executionOrigin('web'), key)];
    expect(verifyEvidence(JSON.stringify(bundle), { logs })).toMatchObject({
      ...{ verified: true, executions: [{ rederived: 'same' }] },
    });
  },
);

test.runIf(isLinux)(
  'nobody is vouched for whom the daemon did not start, whatever they say or hide',
  async () => {
    const options = { createConnection: () => createConnection(daemon.socketPath) };
    const session = await TestSession.connect('ws://writ/v1/enforcement-points/web/session', options);
    if (typeof session === 'number') throw new Error(`not connected: ${session}`);
    expect(await session.ask({ id: 1, ...open() })).toMatchObject({ status: 200 });
    const denied = await session.ask({ id: 2, ask: action() });
    expect(denied).toMatchObject(LOW);
    expect(detailOf(denied)).toContain('no supervisor started this process');
    session.close();
    // It names no process, so that it can name no other one.
    for (const claim of [{ pid: process.ppid }, { supervision: {} }, { assurance: 'supervisor' }]) {
      const other = await TestSession.connect('ws://writ/v1/enforcement-points/web/session', options);
      if (typeof other === 'number') throw new Error(`not connected: ${other}`);
      other.send({ id: 1, open: { ...open().open, ...claim } });
      expect(await other.closed, JSON.stringify(claim)).toBe(1002);
    }

    // The same program with code put into it, which leaves no trace in /proc.
    const child = spawn(process.execPath, [script, daemon.socketPath], {
      env: { NODE_OPTIONS: `--require ${evil}`, WRIT_SUPERVISED: `3:${daemon.socketPath}` },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const program = new Program((line) => child.stdin.write(line));
    child.stdout.on('data', (chunk: Buffer) => program.hear(chunk));
    await program.next((message) => 'up' in message);
    expect(readFileSync(`/proc/${child.pid}/environ`, 'latin1')).not.toContain('evil');
    expect(await program.ask(open())).toMatchObject({ status: 200 });
    expect(await program.ask({ ask: action() })).toMatchObject(LOW);
    child.kill('SIGKILL');
  },
);

test.runIf(isLinux)('the command is the program, and starts only what is configured', async () => {
  const { home, folder } = domain;
  const run = (name: string) => writ({ cwd: folder, stdin: 'in' }, '--home', home.folder, 'supervise', name);
  expect(await run('echo')).toMatchObject({ code: 7, out: 'in|out', err: 'err' });
  expect(await run('other')).toMatchObject({ code: 1 });
});

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() * 1e6 };
const shell = (line: string, files: string[] = []) => ({
  ...{ name: 'sh', command: '/bin/sh', args: ['-c', line], cwd: domain.folder, environment: {}, files },
});

test.runIf(isLinux)('what becomes of a process is noticed', async () => {
  const options = { clock, environment: {}, socketPath: daemon.socketPath };
  const one = must(await SupervisedProcess.start(shell('read x; exec sleep 30', ['lib']), options));
  expect(one.look()).toBeUndefined();
  await one.examine();
  expect(one.look()).toMatchObject({ tracerPid: 0, changed: [], foreignNamespaces: [], pid: one.child.pid });
  one.child.stdin?.write('go\n');
  await expect.poll(() => one.look()?.changed).toEqual(['program']);
  one.child.kill('SIGKILL');
  await new Promise((resolve) => one.child.once('exit', resolve));
  expect(one.look()).toBeUndefined();

  const two = must(await SupervisedProcess.start(shell('read x', ['lib']), options));
  writeFileSync(join(domain.folder, 'lib', 'a.cjs'), 'evil();');
  await two.examine();
  expect(two.look()?.changed).toEqual(['process/files/lib']);
  two.child.kill('SIGKILL');

  const nap = join(domain.folder, 'nap.cjs');
  const honest = 'setTimeout(() => {}, 30_000);';
  writeFileSync(nap, honest);
  const node = { ...shell('', ['lib']), command: process.execPath, args: [nap] };
  const three = must(await SupervisedProcess.start(node, options));
  // Put back, it is the same again.
  writeFileSync(nap, 'evil();');
  writeFileSync(nap, honest);
  await three.examine();
  expect(three.look()?.changed).toEqual(['process/script']);
  const library = join(domain.folder, 'lib', 'a.cjs');
  renameSync(library, `${library}.away`);
  writeFileSync(library, 'evil();');
  renameSync(`${library}.away`, library);
  await three.examine();
  expect(three.look()?.changed).toEqual(['process/script', 'process/files/lib']);
  three.child.kill('SIGKILL');
});

test('elsewhere than on Linux no process is started', async () => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform');
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  const options = { clock, environment: {}, socketPath: daemon.socketPath };
  const refused = await SupervisedProcess.start(shell('true'), options);
  if (platform) Object.defineProperty(process, 'platform', platform);
  expect(isDenial(refused) && refused.detail).toContain('on Linux alone');
});
