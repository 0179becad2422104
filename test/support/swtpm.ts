import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installDebianPackages, tellSkipped } from './debian-packages.ts';

const PROGRAMS = ['swtpm', 'swtpm_setup', 'tpm2_quote', 'certtool'];
const PACKAGES = ['swtpm', 'swtpm-tools', 'tpm2-tools', 'libtss2-tcti-swtpm0', 'gnutls-bin'];

/** A TPM in software, made with endorsement key and certificate by a CA of its own. */
export interface Swtpm {
  readonly tcti: string;
  /** DER of the CA, and of what stands between it and the TPM. */
  readonly root: Uint8Array;
  readonly intermediate: Uint8Array;
  /** Power off and on: PCRs begin anew, the reset count grows. */
  reset(): void;
  extend(pcr: number): void;
  run(program: string, args: readonly string[]): void;
  stop(): void;
}

/** Installs what is missing where that is possible; false, said loudly, where it is not. */
export function haveSwtpm(): boolean {
  if (!isInstalled()) installDebianPackages(...PACKAGES);
  if (isInstalled()) return true;
  tellSkipped('TPM', `run apt-get install ${PACKAGES.join(' ')}`);
  return false;
}

function isInstalled(): boolean {
  return PROGRAMS.every((name) => existsSync(`/usr/bin/${name}`));
}

export async function startSwtpm(): Promise<Swtpm> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-swtpm-'));
  const [state, ca] = [join(folder, 'state'), join(folder, 'ca')];
  for (const made of [state, ca]) mkdirSync(made);
  const config = writeConfig(folder, ca);
  execFileSync(
    'swtpm_setup',
    ['--tpm2', '--tpmstate', state, '--config', config, '--create-ek-cert', '--overwrite'],
    { stdio: 'pipe' },
  );
  const socket = join(folder, 's');
  const tcti = `swtpm:path=${socket}`;
  const daemon = await startDaemon(state, socket);
  const run = (program: string, args: readonly string[]) => {
    execFileSync(program, args, { env: { ...process.env, TPM2TOOLS_TCTI: tcti }, stdio: 'pipe' });
  };
  return {
    tcti,
    root: derOf(join(ca, 'swtpm-localca-rootca-cert.pem')),
    intermediate: derOf(join(ca, 'issuercert.pem')),
    reset() {
      run('tpm2_shutdown', ['-c']);
      execFileSync('swtpm_ioctl', ['-i', '--unix', `${socket}.ctrl`], { stdio: 'pipe' });
      run('tpm2_startup', ['-c']);
    },
    extend: (pcr) => run('tpm2_pcrextend', [`${pcr}:sha256=${'5a'.repeat(32)}`]),
    run,
    stop() {
      daemon.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startDaemon(state: string, socket: string): Promise<ChildProcess> {
  const daemon = spawn(
    'swtpm',
    [
      ...['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', 'not-need-init,startup-clear'],
      ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
    ],
    { stdio: 'ignore' },
  );
  for (let tries = 0; tries < 500 && !existsSync(`${socket}.ctrl`); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return daemon;
}

function writeConfig(folder: string, ca: string): string {
  const [setup, localCa, options] = ['setup.conf', 'localca.conf', 'localca.options'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(
    localCa,
    [
      `statedir = ${ca}`,
      `signingkey = ${ca}/signkey.pem`,
      `issuercert = ${ca}/issuercert.pem`,
      `certserial = ${ca}/certserial\n`,
    ].join('\n'),
  );
  writeFileSync(options, '--platform-manufacturer test\n--platform-version 1\n--platform-model test\n');
  writeFileSync(
    setup,
    [
      'create_certs_tool = /usr/bin/swtpm_localca',
      `create_certs_tool_config = ${localCa}`,
      `create_certs_tool_options = ${options}`,
      'active_pcr_banks = sha256\n',
    ].join('\n'),
  );
  return setup;
}

function derOf(pem: string): Uint8Array {
  return new X509Certificate(readFileSync(pem)).raw;
}
