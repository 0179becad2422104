import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { APPROVAL_NAMESPACE, type StatementSignature } from '../governance/index.ts';
import { parseSshArmour, parseSshPublicKey, type SshPublicKey } from '../key/index.ts';
import { failure, usageError } from './cli-error.ts';
import { orUsage, readInputFile } from './input-file.ts';
import type { Session } from './session.ts';
import { findExecutable } from './surroundings.ts';

const MAX_PUBLIC_KEY_BYTES = 16_384;
const MAX_ARMOUR_BYTES = 32_768;
const INSTALL = 'install OpenSSH 8.1 or later, or sign elsewhere with --out and --signature';

/** A public key file of OpenSSH: one line. */
export function readSshPublicKey(cwd: string, file: string): SshPublicKey {
  const bytes = orUsage(readInputFile(cwd, file, MAX_PUBLIC_KEY_BYTES));
  const text = Buffer.from(bytes).toString('utf8').trim();
  const key = text.includes('\n') ? undefined : parseSshPublicKey(text);
  if (key === undefined || isDenial(key)) {
    throw usageError(
      `${file}: ${key?.detail ?? 'not one public key'}`,
      'give the .pub file that "ssh-keygen -t ed25519" made',
    );
  }
  return key;
}

/** The public half of what `--key` names: the file itself, or the `.pub` beside a private key. */
export function publicHalfOf(cwd: string, file: string): SshPublicKey {
  if (file.endsWith('.pub')) return readSshPublicKey(cwd, file);
  if (existsSync(resolve(cwd, `${file}.pub`))) return readSshPublicKey(cwd, `${file}.pub`);
  throw usageError(
    `there is no ${file}.pub beside ${file}`,
    `make it with "ssh-keygen -y -f ${file} > ${file}.pub"`,
  );
}

/** A signature from a file that `ssh-keygen -Y sign` wrote. */
export function readSshSignature(cwd: string, file: string): StatementSignature {
  const bytes = orUsage(readInputFile(cwd, file, MAX_ARMOUR_BYTES));
  return signatureOf(Buffer.from(bytes).toString('utf8'), file);
}

/**
 * Signs bytes with `ssh-keygen -Y sign`: with a private key file, or, where `file` is a public key, with the agent or hardware
 * key that has its private half. Nothing of it goes through a shell.
 */
export async function signWithSsh(
  { surroundings }: Session,
  file: string,
  bytes: Uint8Array,
): Promise<StatementSignature> {
  const { path, cwd, environment, stderr } = surroundings;
  const program = findExecutable('ssh-keygen', path);
  if (program === undefined) throw failure('not_found', 'there is no ssh-keygen to sign with', INSTALL);
  const argv = ['-Y', 'sign', '-q', '-n', APPROVAL_NAMESPACE, '-f', resolve(cwd, file)];
  const child = spawn(program, argv, { cwd, env: { ...environment }, stdio: ['pipe', 'pipe', 'pipe'] });
  let signature = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (signature.length <= MAX_ARMOUR_BYTES) signature += chunk.toString('latin1');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length <= MAX_ARMOUR_BYTES) said += chunk.toString('utf8');
    // "Confirm user presence for key …"
    if (stderr.isTTY === true) stderr.write(chunk);
  });
  // Who does not read what is to be signed has ended, and says why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(bytes);
  const code = await new Promise<number | null>((settle, fail) => {
    child.on('error', fail);
    child.on('close', settle);
  });
  if (code !== 0) {
    const reason = said.trim().split('\n').at(-1) ?? '';
    throw failure(
      'signing.failed',
      `ssh-keygen did not sign: ${reason === '' ? `exit code ${code}` : reason}`,
    );
  }
  return signatureOf(signature, 'the signature of ssh-keygen');
}

function signatureOf(armour: string, what: string): StatementSignature {
  const blob = parseSshArmour(armour);
  if (isDenial(blob)) throw usageError(`${what}: ${blob.detail}`);
  return { kind: 'ssh', signature: Buffer.from(blob).toString('base64url') };
}
