import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PcrValue } from '../tpm/attester.ts';
import type { Credential } from '../tpm/make-credential.ts';
import type { QuoteBytes } from '../tpm/verify-quote.ts';

const run = promisify(execFile);

/** Where Debian and Fedora put them; nothing is looked up on a `PATH` that others may have set. */
const SEARCH_PATH = '/usr/bin:/bin:/usr/local/bin';
const TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 64 * 1024;
/** NV index of the RSA-2048 endorsement certificate (TCG EK Credential Profile §2.2.1.4). */
const EK_CERTIFICATE_INDEX = '0x1c00002';
const PCR_BYTES = 32;

export const DEFAULT_TCTI = 'device:/dev/tpmrm0';
const TCTI = /^(?:device|swtpm|mssim|tabrmd)(?::[\w=.,:/-]{1,200})?$/;

/** How `tpm2-tools` reach a TPM (`man 7 tss2-tctildr`): `device:/dev/tpmrm0`, `swtpm:path=…`. */
export function isTcti(text: string): boolean {
  return TCTI.test(text);
}

/** Something `tpm2-tools` would not do; the message is for people. */
export class TpmFailure extends Error {}

export interface EndorsementParts {
  /** TPMT_PUBLIC. */
  readonly publicArea: Uint8Array;
  /** DER, as the maker left it in the TPM; undefined where there is none. */
  readonly certificate: Uint8Array | undefined;
}

/** A TPM 2.0, driven by the programs of `tpm2-tools`. Not for two callers at a time. Every method rejects with {@link TpmFailure}. */
export class Tpm2Tools {
  readonly #tcti: string;
  readonly #folder: string;

  private constructor(tcti: string, folder: string) {
    this.#tcti = tcti;
    this.#folder = folder;
  }

  /** Lends a TPM, with a folder of its own for what passes between programs; that is removed in the end. */
  static async with<T>(tcti: string, use: (tpm: Tpm2Tools) => Promise<T>): Promise<T> {
    if (!isTcti(tcti)) throw new TpmFailure(`${tcti} does not name a TPM`);
    const folder = await mkdtemp(join(tmpdir(), 'writ-tpm-'));
    try {
      return await use(new Tpm2Tools(tcti, folder));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** A quote by the key at a persistent handle over PCRs of the SHA-256 bank. */
  async quote(handle: string, pcrs: readonly number[], data: Uint8Array): Promise<QuoteBytes> {
    await this.#run('tpm2_quote', [
      ...['-c', handle, '-g', 'sha256', '-l', selection(pcrs)],
      ...['-q', Buffer.from(data).toString('hex'), '-m', this.#file('quote'), '-s', this.#file('signature')],
    ]);
    return { attestation: await this.#read('quote'), signature: await this.#read('signature') };
  }

  async readPcrs(pcrs: readonly number[]): Promise<PcrValue[]> {
    await this.#run('tpm2_pcrread', [selection(pcrs), '-o', this.#file('pcrs')]);
    const values = await this.#read('pcrs');
    if (values.byteLength !== pcrs.length * PCR_BYTES)
      throw new TpmFailure('the TPM has no SHA-256 bank of PCRs');
    return pcrs.map((index, at) => ({
      index,
      digest: values.subarray(at * PCR_BYTES, (at + 1) * PCR_BYTES).toString('hex'),
    }));
  }

  /** Makes the endorsement key anew from its seed: it is the same every time. */
  async readEndorsement(): Promise<EndorsementParts> {
    await this.#run('tpm2_createek', [
      ...['-c', this.#file('ek.ctx'), '-G', 'rsa', '-f', 'tpmt', '-u', this.#file('ek.pub')],
    ]);
    await this.#flush();
    const publicArea = await this.#read('ek.pub');
    try {
      await this.#run('tpm2_nvread', [EK_CERTIFICATE_INDEX, '-o', this.#file('ek.der')]);
      return { publicArea, certificate: await this.#read('ek.der') };
    } catch {
      return { publicArea, certificate: undefined };
    }
  }

  /**
   * Makes a restricted P-256 signing key under the endorsement key (to be read before), and keeps it at a handle.
   *
   * @returns its TPMT_PUBLIC.
   */
  async createAttestationKey(handle: string): Promise<Uint8Array> {
    await this.#run('tpm2_createak', [
      ...['-C', this.#file('ek.ctx'), '-c', this.#file('ak.ctx'), '-G', 'ecc', '-g', 'sha256', '-s', 'ecdsa'],
      ...['-f', 'tpmt', '-u', this.#file('ak.pub')],
    ]);
    await this.#flush();
    // Whatever a former enrolment left there.
    await this.#run('tpm2_evictcontrol', ['-C', 'o', '-c', handle]).catch(() => undefined);
    await this.#run('tpm2_evictcontrol', ['-C', 'o', '-c', this.#file('ak.ctx'), handle]);
    await this.#flush();
    return this.#read('ak.pub');
  }

  /** Opens a credential: only the TPM of that endorsement key can, and only while it holds the key at the handle. */
  async activateCredential(handle: string, { idObject, encryptedSecret }: Credential): Promise<Uint8Array> {
    await writeFile(this.#file('credential'), Buffer.concat([CREDENTIAL_HEADER, idObject, encryptedSecret]));
    const session = this.#file('session');
    await this.#run('tpm2_startauthsession', ['--policy-session', '-S', session]);
    try {
      await this.#run('tpm2_policysecret', ['-S', session, '-c', 'e']);
      await this.#run('tpm2_activatecredential', [
        ...['-c', handle, '-C', this.#file('ek.ctx'), '-P', `session:${session}`],
        ...['-i', this.#file('credential'), '-o', this.#file('secret')],
      ]);
    } finally {
      await this.#run('tpm2_flushcontext', [session]).catch(() => undefined);
    }
    await this.#flush();
    return this.#read('secret');
  }

  /** Without a resource manager nobody else clears what a program leaves loaded. */
  async #flush(): Promise<void> {
    if (/^(?:swtpm|mssim)/.test(this.#tcti)) await this.#run('tpm2_flushcontext', ['-t']);
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #read(name: string): Promise<Buffer> {
    return readFile(this.#file(name));
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    try {
      await run(program, args, {
        env: { PATH: SEARCH_PATH, LC_ALL: 'C', TPM2TOOLS_TCTI: this.#tcti, TSS2_LOG: 'all+NONE' },
        timeout: TIMEOUT_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
      });
    } catch (error) {
      throw new TpmFailure(`${program}: ${reasonOf(error)}`);
    }
  }
}

/** What `tpm2_makecredential` writes before its two parts: magic and version. */
const CREDENTIAL_HEADER = Buffer.from('badcc0de00000001', 'hex');

function selection(pcrs: readonly number[]): string {
  return `sha256:${pcrs.join(',')}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if ('code' in error && error.code === 'ENOENT') return 'not found: install tpm2-tools';
  const stderr = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : '';
  const line = stderr.split('\n').find((text) => text.startsWith('ERROR')) ?? 'failed';
  return line.replace(/[^\x20-\x7e]/g, '').slice(0, 200);
}
