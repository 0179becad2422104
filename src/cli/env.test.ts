import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { haveSwtpm, type Swtpm, startSwtpm } from '../../test/support/swtpm.ts';
import { must, TestDomain } from '../../test/support/trust-domain.ts';
import { digestOf } from '../codec/index.ts';
import { COLLECTORS, type Component } from '../environment/index.ts';
import { appendGovernance, connectGovernor, programVersion, systemClock } from '../governor/index.ts';
import { createLogger, Daemon } from '../server/daemon/index.ts';
import { writ as runWrit } from './run.test-support.ts';

let domain: TestDomain;
let folder: string;
const writ = (...argv: readonly string[]) => runWrit({ cwd: folder }, ...argv);

beforeAll(async () => {
  domain = await TestDomain.create(undefined, { name: 'lab.test' });
  folder = domain.folder;
  writeFileSync(join(folder, 'job.mjs'), 'export {};');
});
afterAll(() => {
  vi.unstubAllEnvs();
  domain.dispose();
});

describe('writ env', () => {
  it('enrols what it measures, finds nothing otherwise, and names the culprit where something is', async () => {
    const enrolled = await writ(
      ...['env', 'enroll', 'host', '--measure', 'machine,configuration', '--json'],
      ...['--', process.execPath, 'job.mjs'],
    );
    expect(enrolled.code).toBe(0);
    const program = ['--', process.execPath, 'job.mjs'];
    const same = await writ('env', 'diff', 'host', '--json', ...program);
    expect(same.json).toMatchObject({ same: true, drift: [], enrolled: enrolled.json.digest });

    const measured = await writ('env', 'measure', '--json', ...program);
    const kinds = (measured.json.components as { kind: string; collector: string; at: number }[]).map(
      ({ kind, collector }) => `${kind} ${collector}`,
    );
    expect(kinds).toEqual(
      expect.arrayContaining(['kernel machine', 'os machine', 'configuration configuration', 'node program']),
    );
    expect(measured.json.digest).toBe(enrolled.json.digest);
    if (existsSync('/etc/machine-id')) {
      expect(measured.out).not.toContain(readFileSync('/etc/machine-id', 'utf8').trim() || 'uninitialized');
    }

    writeFileSync(join(folder, 'job.mjs'), 'export const changed = true;');
    writeFileSync(join(folder, '.writ/writ.yaml'), '# changed\n', { mode: 0o600 });
    const other = await writ('env', 'diff', 'host', '--json', ...program);
    expect(other).toMatchObject({ code: 1 });
    expect(other.json.drift).toMatchObject([
      { kind: 'configuration', name: 'writ.yaml', change: 'changed' },
      { kind: 'upstream', name: 'job.mjs', change: 'changed' },
    ]);
    const text = await writ('env', 'diff', 'host', ...program);
    expect(text.out).toMatch(/changed\s+upstream\/job\.mjs/);
  });

  it('names the culprit whatever kind it is of', async () => {
    vi.stubEnv('WRIT_CONTAINER_IMAGE', `ghcr.io/a/b@sha256:${'0a'.repeat(32)}`);
    for (const path of ['.git/refs/heads', 'node_modules/job'])
      mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, '.git/HEAD'), `${'1'.repeat(40)}\n`);
    writeFileSync(join(folder, 'package-lock.json'), '{}');
    writeFileSync(join(folder, 'node_modules/job/package.json'), '{"name":"job"}');
    writeFileSync(join(folder, 'node_modules/job/job.mjs'), '');
    const program = ['--measure', COLLECTORS.join(), '--', process.execPath, 'node_modules/job/job.mjs'];
    const measured = await writ('env', 'measure', '--json', ...program);
    const here = measured.json.components as unknown as Component[];
    expect(measured.json.bootId).toMatch(/^[0-9a-f-]{36}$/);
    // Known only where tools are listed and programs run; and one that comes anew.
    const elsewhere = ['confinement', 'confiner', 'program', 'tool'].map((kind) => ({ kind, name: 'x' }));
    const [fresh, ...others] = here;
    const digest = digestOf('as it was');
    const components = [...others, ...elsewhere].map(({ kind, name }) => ({ kind, name, digest }));
    const event = {
      event: 'environment.enrolled',
      actor: 'test',
      name: 'every',
      digest,
      components,
    } as const;
    must(await appendGovernance(domain.home, [{ ...event, at: Math.floor(Date.now() / 1000) }]));
    const { code, json } = await writ('env', 'diff', 'every', '--json', ...program);
    const drift = json.drift as { kind: string; name: string; change: string }[];
    const changeOf = ({ kind, name }: Pick<Component, 'kind' | 'name'>) =>
      drift.find((one) => one.kind === kind && one.name === name)?.change;
    expect([code, drift.length]).toEqual([1, here.length + elsewhere.length]);
    expect(fresh && changeOf(fresh)).toBe('added');
    expect(others.map(changeOf)).toEqual(others.map(() => 'changed'));
    expect(elsewhere.map(changeOf)).toEqual(elsewhere.map(() => 'removed'));
    const spec = readFileSync(new URL('../../spec/environment.md', import.meta.url), 'utf8');
    const documented =
      spec
        .split('\n## 4')[1]
        ?.split('\n## 5')[0]
        ?.matchAll(/^\| `([a-z]+)` /gm) ?? [];
    expect(new Set(drift.map(({ kind }) => kind))).toEqual(new Set([...documented].map(([, kind]) => kind)));
  });

  it('shows what is enrolled, and retires it', async () => {
    expect((await writ('env', 'show', '--json')).json).toMatchObject({
      environments: expect.arrayContaining([expect.objectContaining({ name: 'host', tpm: 'none' })]),
    });
    expect((await writ('env', 'show', 'host')).out).toContain('configuration');
    expect((await writ('env', 'retire', 'host')).code).toBe(0);
    expect((await writ('env', 'diff', 'host')).code).toBe(1);
    expect((await writ('env', 'retire', 'host')).code).toBe(1);
  });

  it.each([
    [['env', 'enroll', '../x'], /is no name/],
    [['env', 'enroll', 'x', '--measure', 'moon'], /there is no "moon"/],
    [['env', 'enroll', 'x', '--ek-root', 'a.pem'], /add --tpm/],
    [['env', 'enroll', 'x', '--tpm'], /whose TPMs are trusted/],
    [['env', 'enroll', 'x', '--tpm', '--tcti', 'cmd:sh'], /names no TPM/],
  ])('%j is wrong usage', async (argv, message) => {
    const ran = await writ(...argv);
    expect(ran).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });

  describe.skipIf(!haveSwtpm())('with a TPM', () => {
    let tpm: Swtpm;
    const pem = (name: string, der: Uint8Array) => {
      writeFileSync(join(folder, name), new X509Certificate(der).toString());
      return name;
    };

    beforeAll(async () => {
      tpm = await startSwtpm();
    }, 60_000);
    afterAll(() => tpm?.stop());

    /** What the daemon says to a runtime on its socket, whose artifact demands a TPM. */
    async function runBehindDaemon() {
      const daemon = must(
        await Daemon.start({
          ...{ home: domain.home, clock: systemClock, version: programVersion(), drainMs: 200 },
          logger: createLogger(new Writable({ write: (_chunk, _encoding, done) => done() })),
        }),
      );
      const point = must(await connectGovernor({ home: domain.home, name: 'fs', components: [] }));
      let runs = 0;
      try {
        const bound = domain.issue({ writ: { environment: { assurance: 'tpm' } } });
        const outcome = await point?.governor.run(
          domain.call([bound], { audience: point.audience }),
          async () => {
            runs += 1;
            return { status: 'succeeded', value: 1 };
          },
        );
        return [outcome?.verdict === 'deny' ? outcome.denial.code : outcome?.verdict, runs];
      } finally {
        await point?.close();
        await daemon.close();
      }
    }

    it('enrols it, has its word count behind the daemon, and names the PCR that is otherwise', async () => {
      const enrolled = await writ(
        ...['env', 'enroll', 'lab', '--tpm', '--tcti', tpm.tcti, '--pcrs', '0,7'],
        ...['--ek-root', pem('root.pem', tpm.root), '--ek-intermediate', pem('ca.pem', tpm.intermediate)],
      );
      expect(enrolled).toMatchObject({ code: 0, out: expect.stringContaining('it is a program') });
      expect((await writ('env', 'diff', 'lab', '--json')).json).toMatchObject({ same: true, tpm: [] });
      expect(await runBehindDaemon()).toEqual(['permit', 1]);
      tpm.extend(7);
      expect(await runBehindDaemon()).toEqual(['environment.assurance_too_low', 0]);
      const other = await writ('env', 'diff', 'lab', '--json');
      expect(other).toMatchObject({ code: 1 });
      expect(other.json.tpm).toEqual([expect.stringMatching(/^PCR 7 was 0{64}, is [0-9a-f]{64}$/)]);
    }, 30_000);
  });
});
