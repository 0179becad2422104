import { hash, type KeyObject, verify } from 'node:crypto';
import { type Denial, deny } from '../denial/index.ts';
import type { SshPublicKey } from './ssh-public-key.ts';
import { SshReader, sshString } from './ssh-wire.ts';

const MAGIC = 'SSHSIG';
const VERSION = 1;
const HASHES: ReadonlySet<string> = new Set(['sha512', 'sha256']);
const BEGIN = '-----BEGIN SSH SIGNATURE-----';
const END = '-----END SSH SIGNATURE-----';
/** An RSA key of 8192 bits and its signature fit. */
const MAX_SIGNATURE_BYTES = 8192;
/** FIDO: somebody touched the key (PROTOCOL.u2f). */
const USER_PRESENT = 0x01;

/** The bytes inside the armour that `ssh-keygen -Y sign` writes. */
export function parseSshArmour(text: string): Uint8Array | Denial {
  const lines = text.replaceAll('\r\n', '\n').trim().split('\n');
  const encoded = lines.slice(1, -1).join('');
  const bytes = Buffer.from(encoded, 'base64');
  const isArmoured = lines[0] === BEGIN && lines.at(-1) === END && bytes.toString('base64') === encoded;
  return isArmoured && bytes.byteLength <= MAX_SIGNATURE_BYTES
    ? bytes
    : deny('request.malformed', 'not an SSH signature as "ssh-keygen -Y sign" writes it');
}

/** The same for `ssh-keygen -Y verify`. */
export function formatSshArmour(signature: Uint8Array): string {
  const encoded =
    Buffer.from(signature)
      .toString('base64')
      .match(/.{1,70}/g) ?? [];
  return `${[BEGIN, ...encoded, END].join('\n')}\n`;
}

/**
 * Verifies an SSH signature (OpenSSH PROTOCOL.sshsig) of a message, in a namespace, by exactly this key.
 *
 * @returns what is wrong with it; undefined where it verifies. Never throws.
 */
export function findSshSignatureProblem(
  signature: Uint8Array,
  key: SshPublicKey,
  signed: { readonly message: Uint8Array; readonly namespace: string },
): string | undefined {
  if (signature.byteLength > MAX_SIGNATURE_BYTES) return 'the signature is too long';
  const reader = new SshReader(signature);
  const magic = reader.take(MAGIC.length)?.toString('latin1');
  const version = reader.uint32();
  const publicKey = reader.string();
  const namespace = reader.text();
  const reserved = reader.string();
  const hashName = reader.text();
  const inner = reader.string();
  if (!reader.isDone || magic !== MAGIC || version !== VERSION || inner === undefined) {
    return 'it is no SSH signature';
  }
  if (!Buffer.from(key.blob).equals(publicKey ?? Buffer.alloc(0))) return 'it was made with another key';
  if (namespace !== signed.namespace) return 'it was made for another purpose';
  if (reserved?.byteLength !== 0) return 'it has a part of unknown meaning';
  if (hashName === undefined || !HASHES.has(hashName)) return 'its hash is not accepted';
  const payload = Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    sshString(signed.namespace),
    sshString(''),
    sshString(hashName),
    sshString(hash(hashName, signed.message, 'buffer')),
  ]);
  try {
    return isSignedBy(key, inner, payload) ? undefined : 'it does not verify';
  } catch {
    return 'it does not verify';
  }
}

function isSignedBy(sshKey: SshPublicKey, inner: Uint8Array, payload: Uint8Array): boolean {
  const reader = new SshReader(inner);
  const format = reader.text();
  const { algorithm, key } = sshKey;
  switch (algorithm) {
    case 'ssh-ed25519': {
      const bytes = reader.string();
      return format === algorithm && reader.isDone && isEd25519(key, payload, bytes);
    }
    case 'ecdsa-sha2-nistp256': {
      const bytes = reader.string();
      return format === algorithm && reader.isDone && isP256(key, payload, bytes);
    }
    case 'ssh-rsa': {
      // Not with the hash that the key's own name stands for: that is SHA-1.
      const bytes = reader.string();
      return (
        format === 'rsa-sha2-512' &&
        reader.isDone &&
        bytes !== undefined &&
        verify('sha512', payload, key, bytes)
      );
    }
    case 'sk-ssh-ed25519@openssh.com':
    case 'sk-ecdsa-sha2-nistp256@openssh.com': {
      const bytes = reader.string();
      const state = reader.take(5);
      if (format !== algorithm || !reader.isDone || state === undefined) return false;
      if (((state[0] ?? 0) & USER_PRESENT) === 0) return false;
      const touched = Buffer.concat([
        hash('sha256', sshKey.application ?? '', 'buffer'),
        state,
        hash('sha256', payload, 'buffer'),
      ]);
      return algorithm === 'sk-ssh-ed25519@openssh.com'
        ? isEd25519(key, touched, bytes)
        : isP256(key, touched, bytes);
    }
    default:
      return false;
  }
}

function isEd25519(key: KeyObject, payload: Uint8Array, signature: Uint8Array | undefined): boolean {
  return signature?.byteLength === 64 && verify(null, payload, key, signature);
}

function isP256(key: KeyObject, payload: Uint8Array, signature: Uint8Array | undefined): boolean {
  if (signature === undefined) return false;
  const reader = new SshReader(signature);
  const r = reader.positive();
  const s = reader.positive();
  if (!reader.isDone || r === undefined || s === undefined || r.length > 32 || s.length > 32) return false;
  const joined = Buffer.alloc(64);
  joined.set(r, 32 - r.length);
  joined.set(s, 64 - s.length);
  return verify('sha256', payload, { key, dsaEncoding: 'ieee-p1363' }, joined);
}
