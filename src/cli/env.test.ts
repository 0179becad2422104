import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveSwtpm, type Swtpm, startSwtpm } from '../../test/support/swtpm.ts';
import { must, TestDomain } from '../../test/support/trust-domain.ts';
import { connectGovernor, systemClock } from '../governor/index.ts';
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
afterAll(() => domain.dispose());

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

  it('shows what is enrolled, and retires it', async () => {
    expect((await writ('env', 'show', '--json')).json).toMatchObject({
      environments: [{ name: 'host', tpm: 'none' }],
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
          ...{ home: domain.home, clock: systemClock, version: '0', drainMs: 200 },
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
