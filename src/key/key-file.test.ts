import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { readKeyFile, SigningKey, writeKeyFile } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-key-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function problemOf(path: string, passphrase?: string): string | undefined {
  const key = readKeyFile(path, passphrase);
  return isDenial(key) ? key.detail : undefined;
}

describe('key files', () => {
  it('are written with mode 0600 and read back', () => {
    const path = join(folder, 'keys', 'agent.pem');
    const key = SigningKey.generate();
    expect(writeKeyFile(path, key)).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'keys')).mode & 0o077).toBe(0);
    const read = readKeyFile(path);
    expect(isDenial(read) ? read.detail : read.publicKey.thumbprint).toBe(key.publicKey.thumbprint);
  });

  it('are never replaced', () => {
    const path = join(folder, 'once.pem');
    writeKeyFile(path, SigningKey.generate());
    const before = readFileSync(path, 'utf8');
    expect(isDenial(writeKeyFile(path, SigningKey.generate()))).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('are encrypted with a passphrase, and say what is wrong without it', () => {
    const path = join(folder, 'encrypted.pem');
    const key = SigningKey.generate();
    writeKeyFile(path, key, 'correct horse');
    expect(readFileSync(path, 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(problemOf(path)).toMatch(/give its passphrase/);
    expect(problemOf(path, 'wrong')).toMatch(/passphrase is wrong/);
    const read = readKeyFile(path, 'correct horse');
    expect(isDenial(read) ? read.detail : read.publicKey.thumbprint).toBe(key.publicKey.thumbprint);
  });

  it.each([0o640, 0o604, 0o620, 0o610, 0o666])('are refused with mode %o', (mode) => {
    const path = join(folder, `mode-${mode.toString(8)}.pem`);
    writeKeyFile(path, SigningKey.generate());
    chmodSync(path, mode);
    expect(problemOf(path)).toMatch(/chmod 600/);
  });

  it('are refused when they are a link, a folder, a pipe, absent, too large or no key', () => {
    const target = join(folder, 'target.pem');
    writeKeyFile(target, SigningKey.generate());
    const link = join(folder, 'link.pem');
    symlinkSync(target, link);
    expect(problemOf(link)).toMatch(/ELOOP/);
    const directory = join(folder, 'directory.pem');
    mkdirSync(directory, { mode: 0o700 });
    expect(problemOf(directory)).toMatch(/not a regular file/);
    const pipe = join(folder, 'pipe.pem');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    expect(problemOf(pipe)).toMatch(/not a regular file/);
    expect(problemOf(join(folder, 'absent.pem'))).toMatch(/ENOENT/);
    const large = join(folder, 'large.pem');
    writeFileSync(large, 'x'.repeat(20_000), { mode: 0o600 });
    expect(problemOf(large)).toMatch(/too large/);
    const text = join(folder, 'text.pem');
    writeFileSync(text, 'hunter2', { mode: 0o600 });
    expect(problemOf(text)).toMatch(/not an Ed25519 PKCS#8 key/);
    expect(problemOf(text)).not.toContain('hunter2');
  });

  it('cannot be written where a folder is missing its permission or is a file', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(isDenial(writeKeyFile(join(file, 'key.pem'), SigningKey.generate()))).toBe(true);
    expect(existsSync(join(file, 'key.pem'))).toBe(false);
  });
});
