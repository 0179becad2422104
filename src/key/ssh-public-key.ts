import { createPublicKey, type KeyObject } from 'node:crypto';
import { encodeBase64url } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { jwkThumbprint } from './jwk-thumbprint.ts';
import { SshReader } from './ssh-wire.ts';
import { isUnsafePoint } from './unsafe-point.ts';

/** A public key as OpenSSH writes it, parsed. */
export interface SshPublicKey {
  /** Algorithm and base64, as in `authorized_keys`, without options or comment: one key, one spelling. */
  readonly text: string;
  readonly algorithm: SshAlgorithm;
  /** The key's wire form, which signatures repeat. */
  readonly blob: Uint8Array;
  readonly key: KeyObject;
  /** RFC 7638 SHA-256 thumbprint, base64url: the same for a key whatever format names it. */
  readonly thumbprint: string;
  /** What a hardware key signs for; others have none. */
  readonly application?: string;
}

export type SshAlgorithm = keyof typeof READERS;

const MAX_BLOB_BYTES = 4096;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const MAX_APPLICATION_CHARACTERS = 256;

type Parsed = { readonly key: KeyObject; readonly application?: string };

const READERS = {
  'ssh-ed25519': (reader: SshReader) => ed25519(reader.string()),
  'ecdsa-sha2-nistp256': (reader: SshReader) => p256(reader.text(), reader.string()),
  'ssh-rsa': (reader: SshReader) => rsa(reader.positive(), reader.positive()),
  'sk-ssh-ed25519@openssh.com': (reader: SshReader) => withApplication(ed25519(reader.string()), reader),
  'sk-ecdsa-sha2-nistp256@openssh.com': (reader: SshReader) =>
    withApplication(p256(reader.text(), reader.string()), reader),
} satisfies Record<string, (reader: SshReader) => Parsed | Denial | undefined>;

/**
 * Parses one line of an OpenSSH public key file (RFC 4253 §6.6, RFC 5656, RFC 8709, PROTOCOL.u2f): Ed25519, ECDSA P-256, RSA
 * of at least 2048 bits, and the hardware-backed forms of the first two. No other key can sign an approval.
 */
export function parseSshPublicKey(line: string): SshPublicKey | Denial {
  const [name = '', encoded = ''] = line.trim().split(/[ \t]+/);
  if (!isAlgorithm(name)) {
    return deny(
      'request.malformed',
      `not a public key that can be used: ${Object.keys(READERS).join(', ')} are`,
    );
  }
  const blob = Buffer.from(encoded, 'base64');
  if (blob.byteLength > MAX_BLOB_BYTES || blob.toString('base64') !== encoded) {
    return deny('request.malformed', 'the public key is not canonical base64');
  }
  const reader = new SshReader(blob);
  if (reader.text() !== name) return deny('request.malformed', 'the public key is of another algorithm');
  let parsed: Parsed | Denial | undefined;
  try {
    parsed = READERS[name](reader);
  } catch {
    parsed = undefined;
  }
  if (isDenial(parsed)) return parsed;
  if (parsed === undefined || !reader.isDone) {
    return deny('request.malformed', 'the public key is malformed');
  }
  const thumbprint = jwkThumbprint(parsed.key);
  if (thumbprint === undefined) return deny('request.malformed', 'the public key is malformed');
  return Object.freeze({ text: `${name} ${encoded}`, algorithm: name, blob, thumbprint, ...parsed });
}

function isAlgorithm(name: string): name is SshAlgorithm {
  return Object.hasOwn(READERS, name);
}

function ed25519(point: Uint8Array | undefined): Parsed | undefined {
  if (point?.byteLength !== 32 || isUnsafePoint(point)) return undefined;
  return publicKey({ kty: 'OKP', crv: 'Ed25519', x: encodeBase64url(point) });
}

/** An uncompressed point; whether it is on the curve is checked as it is imported. */
function p256(curve: string | undefined, point: Uint8Array | undefined): Parsed | undefined {
  if (curve !== 'nistp256' || point?.byteLength !== 65 || point[0] !== 4) return undefined;
  const x = encodeBase64url(point.subarray(1, 33));
  return publicKey({ kty: 'EC', crv: 'P-256', x, y: encodeBase64url(point.subarray(33)) });
}

function rsa(e: Uint8Array | undefined, n: Uint8Array | undefined): Parsed | Denial | undefined {
  if (e === undefined || n === undefined) return undefined;
  const bits = n.byteLength * 8 - Math.clz32(n[0] ?? 0) + 24;
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    return deny('request.malformed', `an RSA key has ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, not ${bits}`);
  }
  if (Buffer.from(e).toString('hex') !== '010001') return undefined;
  return publicKey({ kty: 'RSA', e: encodeBase64url(e), n: encodeBase64url(n) });
}

function publicKey(jwk: Readonly<Record<string, string>>): Parsed {
  return { key: createPublicKey({ key: { ...jwk }, format: 'jwk' }) };
}

function withApplication<T extends Parsed | undefined>(parsed: T, reader: SshReader): Parsed | undefined {
  const application = reader.text();
  if (parsed === undefined || application === undefined) return undefined;
  return application.length <= MAX_APPLICATION_CHARACTERS ? { ...parsed, application } : undefined;
}
