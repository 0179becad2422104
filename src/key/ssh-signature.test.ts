import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { installDebianPackages, tellSkipped } from '../../test/support/debian-packages.ts';
import { sshSignature } from '../../test/support/test-approver.ts';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from './signing-key.ts';
import { parseSshPublicKey, type SshPublicKey } from './ssh-public-key.ts';
import { findSshSignatureProblem, formatSshArmour, parseSshArmour } from './ssh-signature.ts';
import { sshString } from './ssh-wire.ts';

const KEYGEN = '/usr/bin/ssh-keygen';
if (!existsSync(KEYGEN)) installDebianPackages('openssh-client');
const hasSsh = existsSync(KEYGEN) && existsSync('/usr/bin/ssh-agent');
if (!hasSsh) tellSkipped('SSH signatures against ssh-keygen and ssh-agent', 'OpenSSH is not installed');

const folder = mkdtempSync(join(tmpdir(), 'writ-ssh-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const message = Buffer.from('{"type":"writ/approval@v1"}');
const namespace = 'writ-approval@v1';

function blobOf(armour: Buffer): Uint8Array {
  const blob = parseSshArmour(armour.toString());
  if (isDenial(blob)) throw new Error(blob.detail);
  return blob;
}

function publicKey(text: string): SshPublicKey {
  const key = parseSshPublicKey(text);
  if (isDenial(key)) throw new Error(key.detail);
  return key;
}

const problemOf = (signature: Uint8Array, key: SshPublicKey, signed = { message, namespace }) =>
  findSshSignatureProblem(signature, key, signed);

/** Whether the real thing accepts a signature. */
function keygenVerifies(key: SshPublicKey, signature: Uint8Array, text: Buffer = message): boolean {
  const allowed = join(folder, 'allowed');
  const file = join(folder, 'verified.sig');
  writeFileSync(allowed, `ada@test namespaces="${namespace}" ${key.text}\n`);
  writeFileSync(file, formatSshArmour(signature));
  const argv = ['-Y', 'verify', '-q', '-n', namespace, '-f', allowed, '-I', 'ada@test', '-s', file];
  try {
    execFileSync(KEYGEN, argv, { input: text, stdio: ['pipe', 'ignore', 'ignore'] });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasSsh)('against ssh-keygen', () => {
  const kinds = [
    ['ed25519', []],
    ['ecdsa', ['-b', '256']],
    ['rsa', ['-b', '2048']],
  ] as const;

  it.each(kinds)('a signature by an %s key verifies here, and no other does', (kind, options) => {
    const file = join(folder, kind);
    execFileSync(KEYGEN, ['-q', '-t', kind, ...options, '-N', '', '-C', 'a comment', '-f', file]);
    const key = publicKey(readFileSync(`${file}.pub`, 'utf8'));
    expect(key.text).not.toContain('comment');
    for (const hashName of ['sha512', 'sha256']) {
      const argv = ['-Y', 'sign', '-q', '-n', namespace, '-O', `hashalg=${hashName}`, '-f', file];
      const blob = blobOf(execFileSync(KEYGEN, argv, { input: message }));
      expect(problemOf(blob, key)).toBeUndefined();
      expect(keygenVerifies(key, blob)).toBe(true);
      expect(problemOf(blob, key, { message, namespace: 'git' })).toMatch(/another purpose/);
      expect(problemOf(blob, key, { message: Buffer.from('other'), namespace })).toMatch(/does not verify/);
    }
  });

  it('a signature made here verifies there', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const point = Buffer.from(privateKey.export({ format: 'jwk' }).x ?? '', 'base64url');
    const blob = Buffer.concat([sshString('ssh-ed25519'), sshString(point)]);
    const key = publicKey(`ssh-ed25519 ${blob.toString('base64')}`);
    const signature = sshSignature(blob, message, (payload) =>
      Buffer.concat([sshString('ssh-ed25519'), sshString(sign(null, payload, privateKey))]),
    );
    expect(problemOf(signature, key)).toBeUndefined();
    expect(keygenVerifies(key, signature)).toBe(true);
    expect(keygenVerifies(key, signature, Buffer.from('other'))).toBe(false);
  });

  it('a hardware key is verified as ssh-keygen verifies it, and only if somebody touched it', () => {
    const application = 'ssh:';
    const { privateKey } = generateKeyPairSync('ed25519');
    const point = Buffer.from(privateKey.export({ format: 'jwk' }).x ?? '', 'base64url');
    const algorithm = 'sk-ssh-ed25519@openssh.com';
    const blob = Buffer.concat([sshString(algorithm), sshString(point), sshString(application)]);
    const key = publicKey(`${algorithm} ${blob.toString('base64')}`);
    const signed = (flags: number) =>
      sshSignature(blob, message, (payload) => {
        const state = Buffer.from([flags, 0, 0, 0, 7]);
        const touched = Buffer.concat([
          hash('sha256', application, 'buffer'),
          state,
          hash('sha256', payload, 'buffer'),
        ]);
        return Buffer.concat([sshString(algorithm), sshString(sign(null, touched, privateKey)), state]);
      });
    expect(problemOf(signed(1), key)).toBeUndefined();
    expect(keygenVerifies(key, signed(1))).toBe(true);
    expect(problemOf(signed(0), key)).toMatch(/does not verify/);
    // ssh-keygen leaves that to whoever asks it.
    expect(keygenVerifies(key, signed(0))).toBe(true);
  });

  it('a key in an agent signs, where only its public half is at hand', async () => {
    const file = join(folder, 'in-agent');
    execFileSync(KEYGEN, ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    const socket = join(folder, 'agent.sock');
    const agent = spawn('/usr/bin/ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await new Promise((ready) => agent.stdout.once('data', ready));
      const env = { ...process.env, SSH_AUTH_SOCK: socket };
      execFileSync('/usr/bin/ssh-add', ['-q', file], { env, stdio: 'ignore' });
      rmSync(file);
      const argv = ['-Y', 'sign', '-q', '-n', namespace, '-f', `${file}.pub`];
      const armour = execFileSync(KEYGEN, argv, { input: message, env });
      const key = publicKey(readFileSync(`${file}.pub`, 'utf8'));
      expect(problemOf(blobOf(armour), key)).toBeUndefined();
    } finally {
      agent.kill();
    }
  });

  it('weaker keys are refused', () => {
    for (const [kind, bits] of [
      ['rsa', '1024'],
      ['ecdsa', '384'],
    ] as const) {
      const file = join(folder, `weak-${kind}`);
      execFileSync(KEYGEN, ['-q', '-t', kind, '-b', bits, '-N', '', '-f', file]);
      expect(isDenial(parseSshPublicKey(readFileSync(`${file}.pub`, 'utf8')))).toBe(true);
    }
  });
});

describe('an SSH signature', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { privateKey: rsaKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const point = Buffer.from(privateKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const blob = Buffer.concat([sshString('ssh-ed25519'), sshString(point)]);
  const key = publicKey(`ssh-ed25519 ${blob.toString('base64')}`);
  const make = (payload: Buffer) =>
    Buffer.concat([sshString('ssh-ed25519'), sshString(sign(null, payload, privateKey))]);
  const signature = sshSignature(blob, message, make);

  it('is refused with any byte changed, cut off or added', () => {
    expect(problemOf(signature, key)).toBeUndefined();
    for (let at = 0; at < signature.byteLength; at += 1) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(problemOf(changed, key), `byte ${at}`).toBeDefined();
    }
    expect(problemOf(signature.subarray(0, -1), key)).toBeDefined();
    expect(problemOf(Buffer.concat([signature, Buffer.alloc(1)]), key)).toBeDefined();
  });

  it('is refused with a hash that is not accepted, and RSA with SHA-1 or SHA-256', () => {
    expect(problemOf(sshSignature(blob, message, make, { hashName: 'sha1' }), key)).toMatch(/hash/);
    const jwk = rsaKey.export({ format: 'jwk' });
    const n = Buffer.concat([Buffer.alloc(1), Buffer.from(jwk.n ?? '', 'base64url')]);
    const rsaBlob = Buffer.concat([sshString('ssh-rsa'), sshString(Buffer.from([1, 0, 1])), sshString(n)]);
    const rsa = publicKey(`ssh-rsa ${rsaBlob.toString('base64')}`);
    const by = (format: string, algorithm: string) =>
      sshSignature(rsaBlob, message, (payload) =>
        Buffer.concat([sshString(format), sshString(sign(algorithm, payload, rsaKey))]),
      );
    expect(problemOf(by('rsa-sha2-512', 'sha512'), rsa)).toBeUndefined();
    expect(problemOf(by('ssh-rsa', 'sha1'), rsa)).toMatch(/does not verify/);
    expect(problemOf(by('rsa-sha2-256', 'sha256'), rsa)).toMatch(/does not verify/);
    expect(problemOf(by('rsa-sha2-512', 'sha256'), rsa)).toMatch(/does not verify/);
  });

  it('never throws, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(problemOf(bytes, key)).toBeDefined();
        expect(isDenial(parseSshPublicKey(`ssh-ed25519 ${Buffer.from(bytes).toString('base64')}`))).toBe(
          true,
        );
      }),
      { numRuns: 200, seed: 11 },
    );
  });

  it('has the thumbprint of the same key as a JWK', () => {
    const own = SigningKey.fromSeed(new Uint8Array(32).fill(7)).publicKey;
    const ownBlob = Buffer.concat([sshString('ssh-ed25519'), sshString(own.bytes)]);
    expect(publicKey(`ssh-ed25519 ${ownBlob.toString('base64')}`).thumbprint).toBe(own.thumbprint);
    // A point of small order would verify signatures that nobody made.
    const weak = Buffer.concat([
      sshString('ssh-ed25519'),
      sshString(Buffer.from(`01${'00'.repeat(31)}`, 'hex')),
    ]);
    expect(isDenial(parseSshPublicKey(`ssh-ed25519 ${weak.toString('base64')}`))).toBe(true);
  });
});
