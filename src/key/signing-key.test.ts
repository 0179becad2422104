import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from './index.ts';

describe('SigningKey', () => {
  it('signs as RFC 8032 §7.1 test 1', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const key = SigningKey.fromSeed(seed);
    expect(Buffer.from(key.publicKey.bytes).toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
    expect(Buffer.from(key.sign(new Uint8Array(0))).toString('hex')).toBe(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    );
  });

  it('refuses seeds of another length', () => {
    expect(() => SigningKey.fromSeed(new Uint8Array(31))).toThrow(TypeError);
  });

  it('refuses keys of another kind', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const key = SigningKey.fromPem(pem, 'request.malformed');
    expect(isDenial(key) && key.code).toBe('request.malformed');
  });

  it('does not show the private key', () => {
    const key = SigningKey.fromSeed(new Uint8Array(32).fill(7));
    const secret = Buffer.from(new Uint8Array(32).fill(7));
    const shown = `${JSON.stringify(key)} ${inspect(key, { depth: 9, showHidden: true })} ${String(key)}`;
    expect(shown).not.toContain(secret.toString('base64url'));
    expect(shown).not.toContain(secret.toString('hex'));
    expect(shown).not.toContain('PRIVATE');
  });
});
