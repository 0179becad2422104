/**
 * Records `tpm-quotes.json` from a swtpm: `node test/vectors/record-tpm-quotes.ts`. Keys differ with every run, so the
 * recording is kept; nothing in it is secret.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  parseEndorsementKey,
  parseQuoteAttestation,
  qualifiedNameOf,
  Tpm2Tools,
} from '../../src/environment/index.ts';
import { parsePublicArea } from '../../src/environment/tpm/public-area.ts';
import { startSwtpm } from '../support/swtpm.ts';

const SCHEMES = { ecdsa: 'ecc', rsassa: 'rsa', rsapss: 'rsa' } as const;
const DATA = Buffer.alloc(32, 0x17);
const PCRS = [0, 1, 7];

const folder = mkdtempSync(join(tmpdir(), 'writ-record-'));
const tpm = await startSwtpm();
const file = (name: string) => join(folder, name);
const base64url = (name: string) => readFileSync(file(name)).toString('base64url');
const run = (program: string, ...args: string[]) => {
  execFileSync(program, args, {
    env: { ...process.env, TPM2TOOLS_TCTI: tpm.tcti },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (program.startsWith('tpm2_create'))
    execFileSync('tpm2_flushcontext', ['-t'], { env: { ...process.env, TPM2TOOLS_TCTI: tpm.tcti } });
};
try {
  tpm.extend(7);
  const { publicArea, certificate } = await Tpm2Tools.with(tpm.tcti, (tools) => tools.readEndorsement());
  const endorsement = parseEndorsementKey(publicArea);
  if (typeof endorsement === 'string' || certificate === undefined) throw new Error('no endorsement key');
  run('tpm2_createek', '-c', file('ek.ctx'), '-G', 'rsa');
  const quotes: Record<string, object> = {};
  for (const [scheme, algorithm] of Object.entries(SCHEMES)) {
    run(
      'tpm2_createak',
      ...['-C', file('ek.ctx'), '-c', file('ak.ctx'), '-G', algorithm, '-g', 'sha256', '-s', scheme],
      ...['-f', 'tpmt', '-u', file('ak.pub')],
    );
    const common = ['-c', file('ak.ctx'), '-q', DATA.toString('hex'), '-g', 'sha256', '--scheme', scheme];
    run(
      'tpm2_quote',
      ...common,
      '-l',
      `sha256:${PCRS.join(',')}`,
      '-m',
      file('quote'),
      '-s',
      file('signature'),
    );
    run('tpm2_flushcontext', '-t');
    run('tpm2_gettime', ...common, '-o', file('time.signature'), '--attestation', file('time'));
    run('tpm2_flushcontext', '-t');
    const area = parsePublicArea(readFileSync(file('ak.pub')));
    if (area === undefined) throw new Error('no attestation key');
    quotes[scheme] = {
      key: base64url('ak.pub'),
      qualifiedName: qualifiedNameOf(endorsement.qualifiedName, area.name).toString('base64url'),
      attestation: base64url('quote'),
      signature: base64url('signature'),
      time: { attestation: base64url('time'), signature: base64url('time.signature') },
    };
  }
  run('tpm2_createprimary', '-C', 'o', '-c', file('primary.ctx'));
  run(
    'tpm2_create',
    ...['-C', file('primary.ctx'), '-G', 'ecc256:ecdsa-sha256', '-f', 'tpmt', '-o', file('plain.pub')],
  );
  const stated = parseQuoteAttestation(readFileSync(file('quote')));
  if (typeof stated === 'string') throw new Error(stated);
  const pcrs = await Tpm2Tools.with(tpm.tcti, (tools) => tools.readPcrs(PCRS));
  const recorded = {
    recordedWith: 'swtpm 0.7.1, tpm2-tools 5.4',
    data: DATA.toString('base64url'),
    pcrs,
    resetCount: stated.resetCount,
    restartCount: stated.restartCount,
    quotes,
    endorsement: {
      key: Buffer.from(publicArea).toString('base64url'),
      certificate: Buffer.from(certificate).toString('base64url'),
      intermediate: Buffer.from(tpm.intermediate).toString('base64url'),
      root: Buffer.from(tpm.root).toString('base64url'),
    },
    unrestrictedKey: base64url('plain.pub'),
  };
  writeFileSync(new URL('tpm-quotes.json', import.meta.url), `${JSON.stringify(recorded, null, 2)}\n`);
} finally {
  tpm.stop();
  rmSync(folder, { recursive: true, force: true });
}
