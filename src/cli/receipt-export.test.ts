import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, nowSeconds, TestDomain } from '../../test/support/trust-domain.ts';
import { isDenial } from '../denial/index.ts';
import { attestExecution, type OpenedGovernor, openGovernanceFollower } from '../governor/index.ts';
import { readKeyFile } from '../key/index.ts';
import { isSigstoreBundle, verifyAttestation } from '../receipt/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { noteVerifier, openCheckpoint } from '../tlog/index.ts';
import { writ } from './run.test-support.ts';

let domain: TestDomain;
let opened: OpenedGovernor;
let permitted: string;

const BY = { actor: 'spiffe://test.local/user/tester', atSeconds: nowSeconds() };
const attest = (id: string) => attestExecution(domain.home, id, BY);

beforeAll(async () => {
  domain = await TestDomain.create();
  opened = await domain.open();
  permitted = await run({ path: '/secret-argument' });
});
afterAll(async () => {
  await opened?.close();
  domain?.dispose();
});

async function run(args: { path: string }, chain = [domain.issue()]): Promise<string> {
  const { governor, audience } = opened;
  const { executionId } = await governor.run(domain.call(chain, { audience, args }), async () => ({
    status: 'succeeded',
    value: undefined,
    evidence: Buffer.from('secret-result'),
  }));
  await governor.settle();
  return executionId;
}

function entries(): readonly Uint8Array[] {
  const reader = openSqliteLogReader(domain.home.attestationFolder);
  try {
    return reader.read(0, reader.head().size);
  } finally {
    reader.close();
  }
}

const logKey = () =>
  noteVerifier(domain.home.executionOrigin('fs'), must(readKeyFile(domain.home.logKeyFile('fs'))).publicKey);

describe('attestExecution', () => {
  it('records the signature, under a signed checkpoint, in a log the domain has enrolled', async () => {
    const { bundle, index } = must(await attest(permitted));
    const { tlogEntries } = bundle.verificationMaterial as {
      tlogEntries: { canonicalizedBody: string }[];
    };
    expect(Buffer.from(entries()[index] ?? []).toString('base64')).toBe(tlogEntries[0]?.canonicalizedBody);
    const follower = must(openGovernanceFollower(domain.home));
    const { vkeys = [] } = follower.view.state.logByOrigin('test.local/attestation') ?? {};
    follower.close();
    const vkey = readFileSync(join(domain.home.attestationFolder, 'log.vkey'), 'utf8').trim();
    expect(vkeys).toEqual([vkey]);
    const key = must(readKeyFile(domain.home.keyFile('attestation'))).publicKey;
    const note = readFileSync(join(domain.home.attestationFolder, 'checkpoint'), 'utf8');
    const checkpoint = must(openCheckpoint(note, noteVerifier('test.local/attestation', key)));
    expect(checkpoint.size).toBe(entries().length);
  });

  it('works while the gateway runs, and for denials, which have no outcome', async () => {
    const denied = await run({ path: '/x' }, [domain.issue({ tools: { 'mcp://fs/tools/none': {} } })]);
    const { bundle, subjects } = must(await attest(denied));
    expect(subjects.outcome).toBeUndefined();
    const report = verifyAttestation(JSON.stringify(bundle), logKey());
    expect(report).toMatchObject({
      verified: true,
      executions: [{ decision: { id: denied, verdict: 'deny' } }],
    });
  });

  it('says nothing of arguments and results', async () => {
    const { bundle, subjects } = must(await attest(permitted));
    const payload = Buffer.from(String((bundle.dsseEnvelope as { payload: string }).payload), 'base64');
    const everything = [JSON.stringify(bundle), payload.toString(), ...Object.values(subjects), ...entries()];
    for (const part of everything) {
      expect(Buffer.from(part).includes('secret-argument')).toBe(false);
      expect(Buffer.from(part).includes('secret-result')).toBe(false);
    }
  });

  it('denies an execution that no log knows, and records nothing', async () => {
    const before = entries().length;
    const denial = await attest('01a20653-7096-72e5-abd0-497e59391833');
    expect(denial).toMatchObject({ code: 'request.malformed' });
    expect(entries()).toHaveLength(before);
  });

  it('is checked by writ log verify, and damage to it shows', async () => {
    const verify = () => writ({ cwd: domain.folder }, 'log', 'verify', '--json');
    const sound = await verify();
    expect(sound.code, sound.out).toBe(0);
    const logs = sound.json.logs as { log: string; entries: number }[];
    expect(logs.find(({ log }) => log === 'attestation')?.entries).toBe(entries().length);
    const file = join(domain.home.attestationFolder, 'checkpoint');
    const note = readFileSync(file, 'utf8');
    writeFileSync(file, note.replace(/\n(\d+)\n/, '\n999\n'));
    const damaged = await verify();
    writeFileSync(file, note);
    expect(damaged.code).toBe(1);
    expect(damaged.json).toMatchObject({ verified: false });
  });

  it('does not begin a second history where the log has been lost', async () => {
    const { attestationFolder } = domain.home;
    const aside = `${attestationFolder}.aside`;
    cpSync(attestationFolder, aside, { recursive: true });
    rmSync(attestationFolder, { recursive: true });
    const denial = await attest(permitted);
    expect(denial).toMatchObject({ code: 'log.unavailable' });
    expect(isDenial(denial) && denial.detail).toContain('restore it');
    expect(existsSync(attestationFolder)).toBe(false);
    const verified = await writ({ cwd: domain.folder }, 'log', 'verify', '--json');
    expect(verified.code).toBe(1);
    cpSync(aside, attestationFolder, { recursive: true });
    must(await attest(permitted));
  });

  it('does not sign with a key other than the enrolled one of the execution log', async () => {
    const file = domain.home.logKeyFile('fs');
    const pem = readFileSync(file);
    writeFileSync(file, readFileSync(domain.home.keyFile('issuer')));
    const before = entries().length;
    const denial = await attest(permitted);
    writeFileSync(file, pem);
    expect(denial).toMatchObject({ code: 'log.unavailable' });
    expect(entries()).toHaveLength(before);
  });
});

describe('writ receipt export', () => {
  const exporting = (...argv: string[]) =>
    writ({ cwd: domain.folder }, 'receipt', 'export', permitted, ...argv, '--json');

  it('writes what writ receipt verify verifies', async () => {
    expect((await exporting('--out', 'out')).code).toBe(0);
    const file = join(domain.folder, 'out', 'receipt.sigstore.json');
    expect(isSigstoreBundle(readFileSync(file))).toBe(true);
    const vkey = join(domain.home.executionLogFolder('fs'), 'log.vkey');
    const verify = () => writ({ cwd: domain.folder }, 'receipt', 'verify', file, '--log-key', vkey, '--json');
    expect((await verify()).json).toMatchObject({
      verified: true,
      execution: permitted,
      outcome: 'succeeded',
    });
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/"payload": "(.{40})./, '"payload": "$1A'));
    const tampered = await verify();
    expect(tampered.code).toBe(1);
    expect(tampered.json).toMatchObject({ verified: false });
  });

  it('records nothing when the folder cannot be written, or the format is not known', async () => {
    const before = entries().length;
    writeFileSync(join(domain.folder, 'file'), '');
    const unwritable = await exporting('--out', 'file/out');
    expect([unwritable.code, unwritable.json.error]).toMatchObject([1, { code: 'file.unwritable' }]);
    const unknown = await exporting('--out', 'out', '--format', 'pdf');
    expect([unknown.code, unknown.json.error]).toMatchObject([2, { code: 'usage' }]);
    expect(entries()).toHaveLength(before);
  });
});
