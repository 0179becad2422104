import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { must, nowSeconds, TestDomain } from '../../../test/support/trust-domain.ts';
import { createPresenter, deriveToken, readToken } from '../../artifact/index.ts';
import { digestOf, type JsonObject } from '../../codec/index.ts';
import { deny, isDenial } from '../../denial/index.ts';
import {
  type Component,
  confinementComponent,
  confinementComponents,
  type LayerState,
} from '../../environment/index.ts';
import {
  type OpenedGovernor,
  openGovernor,
  publishPolicy,
  readEvidenceKey,
  revoke,
} from '../../governor/index.ts';
import { SigningKey } from '../../key/index.ts';
import { buildPolicyBundle } from '../../policy/index.ts';
import {
  executionSalt,
  type OutcomeReceipt,
  parseDecisionReceipt,
  parseOutcomeReceipt,
  saltedDigest,
} from '../../receipt/index.ts';
import { openSqliteLogReader } from '../../storage/index.ts';
import { runCanaries } from './canaries.ts';
import { mustRead, testConfiner } from './confined.test-support.ts';
import { accountOf, type Confiner, findConfiner } from './confiner.ts';
import type { ExecAsk } from './exec-request.ts';
import { execPointName, execTool } from './exec-tool.ts';
import type { HeldProcess } from './held-process.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { type ExecOutcome, type ExecPorts, runExec } from './run-exec.ts';

const found = testConfiner();

describe.skipIf(found === undefined)('running a program confined', () => {
  const confiner = found as Confiner;
  const shell = mustRead('/bin/sh');
  const tool = execTool('shell', shell, 'destructive');
  let domain: TestDomain;
  let work: string;
  let layers: readonly Component[];
  let opened: OpenedGovernor;

  const open = async (components: readonly Component[], name = 'shell'): Promise<OpenedGovernor> => {
    const governor = must(await openGovernor({ home: domain.home, name: execPointName(name), components }));
    governor.setTools([{ id: tool.id, digest: tool.digest }]);
    return governor;
  };
  const issue = (map: JsonObject = {}, change: object = {}): string =>
    domain.issue({
      tools: { [tool.id]: map },
      audiences: [domain.home.audience(execPointName('shell'))],
      ...change,
    });

  beforeAll(async () => {
    domain = await TestDomain.create();
    chmodSync(domain.folder, 0o755);
    work = join(domain.folder, 'work');
    mkdirSync(work);
    chmodSync(work, 0o777);
    const bundle = buildPolicyBundle({
      id: 'default',
      policies: [{ path: 'a.cedar', text: 'permit (principal, action, resource);' }],
      tools: [tool],
    });
    if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
    must(await publishPolicy(domain.home, bundle, { actor: 'test', atSeconds: nowSeconds() }));
    layers = confinementComponents((await runCanaries(confiner)).states);
    opened = await open(layers);
  });

  afterAll(async () => {
    await opened.close();
    domain.dispose();
  });

  interface Options {
    readonly chain?: readonly string[];
    readonly signer?: SigningKey;
    readonly ask?: Partial<ExecAsk>;
    readonly ports?: Partial<ExecPorts>;
    readonly onStart?: (running: HeldProcess) => void;
    readonly signal?: AbortSignal;
  }

  async function run(script: string, options: Options = {}): Promise<ExecOutcome & { readonly out: string }> {
    const { chain = [issue()], signer = domain.agent, signal } = options;
    let out = '';
    const outcome = await runExec(
      {
        governor: opened.governor,
        presenter: createPresenter({ chain, signer, audience: opened.audience }),
        confiner,
        hidden: [domain.home.folder],
        cwd: work,
        ...options.ports,
      },
      {
        tool,
        ask: {
          program: shell,
          argv: ['-c', script],
          environment: new Map(),
          read: [],
          write: [work],
          network: [],
          limits: DEFAULT_LIMITS,
          account: accountOf(confiner),
          ...options.ask,
        },
        streams: ['ignore', 'pipe', 'ignore'],
        onStart(running) {
          running.pipes[1]?.on('data', (chunk: unknown) => {
            out += String(chunk);
          });
          options.onStart?.(running);
        },
        ...(signal === undefined ? {} : { signal }),
      },
    );
    return { ...outcome, out };
  }

  const codeOf = (outcome: ExecOutcome) => (outcome.verdict === 'permit' ? 'permit' : outcome.denial.code);

  async function outcomeOf({ executionId }: ExecOutcome): Promise<OutcomeReceipt | undefined> {
    await opened.governor.settle();
    const reader = openSqliteLogReader(domain.home.executionLogFolder(execPointName('shell')));
    try {
      const all = reader.read(0, reader.head().size).map(parseOutcomeReceipt);
      return all.flatMap((entry) => (isDenial(entry) || entry.id !== executionId ? [] : [entry]))[0];
    } finally {
      reader.close();
    }
  }

  it('runs it where it is granted; how it ended and what it used is on record', async () => {
    const outcome = await run('echo hi > file; exit 4');
    expect(outcome).toMatchObject({ verdict: 'permit', end: { exitCode: 4 } });
    expect(readFileSync(join(work, 'file'), 'utf8')).toBe('hi\n');
    const recorded = await outcomeOf(outcome);
    expect(recorded).toMatchObject({ status: 'failed', process: { exitCode: 4 } });
  });

  it('records what it said and which files it wrote, salted, and follows no link out', async () => {
    const outside = join(domain.folder, 'outside');
    writeFileSync(outside, 'not its own');
    writeFileSync(join(work, 'before'), 'untouched');
    utimesSync(join(work, 'before'), 1, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const outcome = await run(
      `mkdir -p sub; printf abc > sub/new; ln -sfn ${outside} link; ln -sfn ${domain.folder} up; mkfifo pipe; printf said`,
    );
    const digest = (text: string) => digestOf(Buffer.from(text));
    expect(outcome).toMatchObject({
      report: {
        stdout: { bytes: 4, digest: digest('said') },
        stderr: 'not_counted',
        written: {
          count: 1,
          complete: true,
          files: [{ path: join(work, 'sub/new'), bytes: 3, digest: digest('abc') }],
        },
      },
    });
    const salt = executionSalt(must(readEvidenceKey(domain.home.evidenceKeyFile)), outcome.executionId);
    const recorded = await outcomeOf(outcome);
    expect(recorded?.process).toMatchObject({
      stdout: { bytes: 4, digest: saltedDigest(salt, digest('said')) },
      written: {
        files: [
          { path: saltedDigest(salt, join(work, 'sub/new')), digest: saltedDigest(salt, digest('abc')) },
        ],
      },
    });
    expect(JSON.stringify(recorded)).not.toContain('sub/new');
  });

  it('bounds what it tells of a program that writes and says much', async () => {
    const outcome = await run(
      'mkdir many; cd many; for n in $(seq 100); do echo $n > $n; done; truncate -s 200M big; head -c 300000 /dev/zero',
    );
    expect(outcome).toMatchObject({ report: { stdout: { bytes: 300_000 }, written: { count: 101 } } });
    const recorded = await outcomeOf(outcome);
    expect(recorded?.process?.written?.files).toHaveLength(64);
    const big = await run('echo >> many/big');
    if (big.verdict !== 'permit') throw new Error('denied');
    const [file] = big.report.written?.files.filter(({ path }) => path.endsWith('/big')) ?? [];
    expect(file).toEqual({ path: join(work, 'many/big'), bytes: 200 * 1024 * 1024 + 1 });
    expect(await outcomeOf(big)).toMatchObject({ status: 'succeeded' });
    rmSync(join(work, 'many'), { recursive: true });
  });

  const exactArgv = (...argv: readonly string[]): JsonObject => ({
    '*': { constraint_type: 'wildcard' },
    argv: { constraint_type: 'argv', command: [...argv] },
  });

  it('connects it to what is granted, and has on record where it went and tried to', async () => {
    const origin = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello'));
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    const to = `127.0.0.1:${(origin.address() as AddressInfo).port}`;
    const script = `for (const to of ['${to}', 'example.org:443']) {
      const { request } = require('node:http');
      request({ host: '127.0.0.1', port: 3128, method: 'CONNECT', path: to })
        .on('connect', (answer, socket) => { socket.resume(); socket.end(); }).end();
    }`;
    const outcome = await run('', {
      ask: { program: mustRead(process.execPath), argv: ['-e', script], network: [to] },
    });
    origin.close();
    expect(outcome).toMatchObject({ verdict: 'permit', end: { exitCode: 0 } });
    const recorded = await outcomeOf(outcome);
    expect(recorded?.process?.network).toMatchObject([
      { to, allowed: 1, refused: 0 },
      { to: 'example.org:443', allowed: 0, refused: 1 },
    ]);
  });

  it.each<[string, () => Options, string]>([
    [
      'without an artifact',
      () => ({ ports: { presenter: deny('artifact.missing', 'none') } }),
      'artifact.missing',
    ],
    ['by another key', () => ({ signer: SigningKey.generate() }), 'identity.mismatch'],
    [
      'with other arguments',
      () => ({ chain: [issue(exactArgv('-c', 'true'))] }),
      'scope.arguments_not_granted',
    ],
    [
      'with another program',
      () => ({
        chain: [
          issue({
            '*': { constraint_type: 'wildcard' },
            programDigest: { constraint_type: 'exact', value: `sha256:${'0'.repeat(64)}` },
          }),
        ],
      }),
      'scope.arguments_not_granted',
    ],
    [
      'with variables that an environment does not cover',
      () => ({
        chain: [
          issue({
            ...exactArgv('-c', 'echo ran > ran'),
            unsafeEnv: { constraint_type: 'subset', allowed: [] },
          }),
        ],
        ask: { environment: new Map([['LD_PRELOAD', '/x.so']]) },
      }),
      'scope.arguments_not_granted',
    ],
    [
      'with the keys of the domain',
      () => ({ ask: { read: [domain.home.folder] } }),
      'scope.arguments_not_granted',
    ],
    [
      'with a folder that holds them',
      () => ({ ask: { write: [domain.folder] } }),
      'scope.arguments_not_granted',
    ],
    ['with all of the machine', () => ({ ask: { read: ['/'] } }), 'scope.arguments_not_granted'],
    [
      'with a network beyond what is granted',
      () => ({
        chain: [
          issue({
            '*': { constraint_type: 'wildcard' },
            network: { constraint_type: 'subset', allowed: ['example.org:443'] },
          }),
        ],
        ask: { network: ['example.org:443', 'example.org:80'] },
      }),
      'scope.arguments_not_granted',
    ],
    [
      'with this machine by name',
      () => ({ ask: { network: ['localhost:80'] } }),
      'scope.arguments_not_granted',
    ],
    ['with a network that is none', () => ({ ask: { network: ['*:443'] } }), 'request.malformed'],
    ['with a path that is not there', () => ({ ask: { read: ['/absent'] } }), 'request.malformed'],
    [
      'with options of the sandbox in the name of a folder',
      () => ({ ask: { cwd: '/\0--bind\0/etc\0/etc' } }),
      'request.malformed',
    ],
    ['with a NUL in an argument', () => ({ ask: { argv: ['-c', 'a\0b'] } }), 'request.malformed'],
    [
      'with limits that are none',
      () => ({ ask: { limits: { ...DEFAULT_LIMITS, wallSeconds: 0 } } }),
      'request.malformed',
    ],
  ])('denies it on record, and nothing runs: %s', async (_name, options, code) => {
    rmSync(join(work, 'ran'), { force: true });
    const outcome = await run('echo ran > ran', options());
    expect(codeOf(outcome)).toBe(code);
    expect(outcome).toMatchObject({ wasStarted: false });
    expect(existsSync(join(work, 'ran'))).toBe(false);
    const reader = openSqliteLogReader(domain.home.executionLogFolder(execPointName('shell')));
    expect(
      parseDecisionReceipt(reader.read(reader.head().size - 1, reader.head().size)[0] ?? new Uint8Array()),
    ).toMatchObject({
      verdict: 'deny',
      code,
    });
    reader.close();
  });

  describe('where its program lies in a folder that it sees', () => {
    const owner = accountOf(confiner);
    let place = '';
    let tool = '';

    /** Puts other bytes where the program lies when it waits to be released. */
    const attack = async (kind: 'replaced' | 'folder', access: Partial<ExecAsk>): Promise<string> => {
      const evil = (path: string) => writeFileSync(path, '#!/bin/sh\necho EVIL\n', { mode: 0o755 });
      const outcome = await run('', {
        ask: { program: mustRead(tool), argv: [], write: [], ...access },
        onStart() {
          if (kind === 'replaced') {
            evil(`${tool}.new`);
            renameSync(`${tool}.new`, tool);
          } else {
            renameSync(join(place, 'bin'), join(place, 'old'));
            mkdirSync(join(place, 'bin'));
            evil(tool);
          }
        },
      });
      expect(outcome.out).not.toContain('EVIL');
      return outcome.verdict === 'permit' ? outcome.out : outcome.denial.code;
    };

    beforeEach(() => {
      place = mkdtempSync(join(domain.folder, 'place-'));
      chmodSync(place, 0o755);
      mkdirSync(join(place, 'bin'));
      tool = join(place, 'bin', 'tool');
      writeFileSync(tool, '#!/bin/sh\necho hashed\n', { mode: 0o755 });
    });

    it.each<[string, 'replaced' | 'folder', () => Partial<ExecAsk>]>([
      ['granted for writing', 'replaced', () => ({ write: [place] })],
      ['itself granted', 'replaced', () => ({ read: [tool] })],
      [
        'in a folder that everybody may change',
        'replaced',
        () => {
          chmodSync(join(place, 'bin'), 0o777);
          return { read: [place] };
        },
      ],
      [
        'below a folder that a group may change',
        'folder',
        () => {
          chmodSync(place, 0o775);
          return { read: [place] };
        },
      ],
      [
        'below a folder of the account that programs run as',
        'folder',
        () => {
          if (process.getuid?.() === 0) chownSync(place, owner.uid, owner.gid);
          else chmodSync(place, 0o777);
          return { read: [place] };
        },
      ],
    ])('never runs what was put there instead: %s', async (_name, kind, access) => {
      expect(await attack(kind, access())).toBe('scope.arguments_not_granted');
    });

    it('is told what to change, and runs where only its owner can change it, or no folder around it is seen', async () => {
      chmodSync(join(place, 'bin'), 0o777);
      const outcome = await run('', { ask: { program: mustRead(tool), argv: [], read: [place], write: [] } });
      expect(outcome).toMatchObject({
        denial: { detail: expect.stringMatching(/\/bin can be changed by others .* chmod go-w/) },
      });
      expect(await attack('replaced', {})).toBe('hashed\n');
      rmSync(tool);
      writeFileSync(tool, '#!/bin/sh\necho hashed\n', { mode: 0o755 });
      chmodSync(join(place, 'bin'), 0o755);
      const granted = await run('', { ask: { program: mustRead(tool), argv: [], read: [place], write: [] } });
      expect(granted).toMatchObject({ verdict: 'permit', out: 'hashed\n' });
    });
  });

  it('denies it where a layer leaks or is absent, unless the root token names that', async () => {
    const weak = (state: LayerState): readonly Component[] => [
      ...layers.filter(({ name }) => name !== 'network'),
      confinementComponent('network', state),
    ];
    for (const [state, code] of [
      ['leaks', 'environment.mismatch'],
      ['absent', 'environment.unmeasured'],
    ] as const) {
      const governor = await open(weak(state));
      const ports = { governor: governor.governor };
      const presenting = (chain: readonly string[], signer = domain.agent) => ({
        ...ports,
        presenter: createPresenter({ chain, signer, audience: governor.audience }),
      });
      const names = { environment: { components: [confinementComponent('network', state)] } };
      const audiences = [governor.audience];
      rmSync(join(work, 'ran'), { force: true });
      expect(codeOf(await run('echo ran > ran', { ports: presenting([issue({}, { audiences })]) }))).toBe(
        code,
      );
      // What a holder adds to what it was given grants it nothing.
      const parent = issue({}, { audiences });
      const root = must(readToken(parent));
      const child = must(
        deriveToken({
          parent: [parent],
          signer: domain.agent,
          holder: domain.agent.publicKey,
          tools: { [tool.id]: {} },
          iatSeconds: nowSeconds(),
          expSeconds: root.expSeconds,
          writ: names,
        }),
      );
      expect(codeOf(await run('echo ran > ran', { ports: presenting([parent, child]) }))).toBe(code);
      expect(existsSync(join(work, 'ran'))).toBe(false);
      const named = issue({}, { audiences, writ: names });
      expect(codeOf(await run('true', { ports: presenting([named]) }))).toBe('permit');
      await governor.close();
    }
  });

  it('denies it where nothing confines, and says what to install', async () => {
    const absent = findConfiner({ folders: ['/nowhere'] });
    expect(absent).toMatchObject({ code: 'environment.unmeasured' });
    expect(isDenial(absent) && absent.detail).toContain('apt-get install bubblewrap');
    // Even where the measurement says that all is well.
    const outcome = await run('echo ran > ran', { ports: { confiner: absent } });
    expect(codeOf(outcome)).toBe('environment.unmeasured');
    expect(outcome).toMatchObject({ wasStarted: false });
    const foreign = await run('echo ran > ran', { ask: { account: { uid: 4242, gid: 4242 } } });
    expect(codeOf(foreign)).toBe('environment.mismatch');
    expect(existsSync(join(work, 'ran'))).toBe(false);
    expect(await outcomeOf(outcome)).toMatchObject({ status: 'terminated', code: 'environment.unmeasured' });
  });

  it('kills all that it started when its authority is revoked', async () => {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const chain = [issue()];
      const { jti } = must(readToken(chain[0] ?? ''));
      const started = Promise.withResolvers<void>();
      const beat = join(work, 'beat');
      const running = run(
        'trap "" TERM HUP INT; (setsid sh -c "trap \\"\\" TERM; while :; do echo x >> beat; done" &) ; echo on; while :; do sleep 1; done',
        {
          chain,
          onStart: (held) => held.pipes[1]?.once('data', () => started.resolve()),
        },
      );
      await started.promise;
      must(
        await revoke(
          domain.home,
          { handle: 'token', value: jti },
          { actor: 'test', atSeconds: nowSeconds() },
        ),
      );
      const revokedMs = performance.now();
      const outcome = await running;
      times.push(performance.now() - revokedMs);
      expect(codeOf(outcome)).toBe('revocation.revoked');
      expect(outcome).toMatchObject({ wasStarted: true });
      const size = readFileSync(beat).byteLength;
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(readFileSync(beat).byteLength).toBe(size);
      expect(await outcomeOf(outcome)).toMatchObject({ status: 'terminated', code: 'revocation.revoked' });
    }
    const median = times.sort((left, right) => left - right)[2] ?? Number.NaN;
    // 50 ms on a machine of its own (docs/exec.md); tests share theirs.
    expect(median).toBeLessThan(1000);
    if (process.env.WRIT_TELL_TIMES !== undefined)
      process.stderr.write(`revoked to dead: ${times.map((time) => time.toFixed(1)).join(' ')} ms\n`);
  });

  it('kills it at its wall clock, and when its operator says so', async () => {
    const late = await run('trap "" TERM; sleep 60', {
      ask: { limits: { ...DEFAULT_LIMITS, wallSeconds: 1 } },
    });
    expect(codeOf(late)).toBe('scope.use_exhausted');
    expect(await outcomeOf(late)).toMatchObject({ status: 'terminated', code: 'scope.use_exhausted' });
    const abort = new AbortController();
    const stopped = await run('sleep 60', {
      signal: abort.signal,
      onStart: () => setImmediate(() => abort.abort()),
    });
    expect(stopped).toMatchObject({ verdict: 'permit', isInterrupted: true, end: { exitCode: undefined } });
    // Nothing spoke against it, so there is no code.
    const recorded = await outcomeOf(stopped);
    expect(recorded).toMatchObject({ status: 'terminated', process: { signal: 'SIGKILL' } });
    expect(recorded?.note).toContain('operator');
    expect(recorded).not.toHaveProperty('code');
    const never = await run('echo ran > ran', { signal: AbortSignal.abort() });
    expect(never).toMatchObject({ verdict: 'permit', isInterrupted: true });
    expect(existsSync(join(work, 'ran'))).toBe(false);
  });

  it('spends an artifact for one use once', async () => {
    const chain = [issue({}, { writ: { use: { maxUses: 1 } } })];
    expect(codeOf(await run('true', { chain }))).toBe('permit');
    expect(codeOf(await run('true', { chain }))).toBe('scope.use_exhausted');
  });
});
