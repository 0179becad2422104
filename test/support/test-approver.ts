import { generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import {
  APPROVAL_NAMESPACE,
  type ApprovalStatement,
  type ReviewStatement,
  type StatementSignature,
  statementBytes,
} from '../../src/governance/index.ts';
import { enrollApprover, type Home } from '../../src/governor/index.ts';
import { sshString } from '../../src/key/ssh-wire.ts';
import { must, nowSeconds } from './trust-domain.ts';

/** An SSHSIG blob, made here by the letter of PROTOCOL.sshsig: what the real `ssh-keygen` makes is tested beside the parser. */
export function sshSignature(
  keyBlob: Uint8Array,
  message: Uint8Array,
  make: (payload: Buffer) => Buffer,
  { namespace = APPROVAL_NAMESPACE, hashName = 'sha512' } = {},
): Buffer {
  const magic = Buffer.from('SSHSIG');
  const payload = Buffer.concat([
    magic,
    sshString(namespace),
    sshString(''),
    sshString(hashName),
    sshString(hash(hashName, message, 'buffer')),
  ]);
  return Buffer.concat([
    magic,
    Buffer.from([0, 0, 0, 1]),
    sshString(keyBlob),
    sshString(namespace),
    sshString(''),
    sshString(hashName),
    sshString(make(payload)),
  ]);
}

/** A person with an Ed25519 SSH key. */
export class TestApprover {
  readonly subject: string;
  readonly keyText: string;
  readonly #blob: Buffer;
  readonly #key: KeyObject;

  constructor(subject: string, key: KeyObject = generateKeyPairSync('ed25519').privateKey) {
    this.subject = subject;
    this.#key = key;
    const { x = '' } = key.export({ format: 'jwk' });
    this.#blob = Buffer.concat([sshString('ssh-ed25519'), sshString(Buffer.from(x, 'base64url'))]);
    this.keyText = `ssh-ed25519 ${this.#blob.toString('base64')}`;
  }

  /** A person who is enrolled in a domain. */
  static async enrolled(home: Home, name: string, ...roles: readonly string[]): Promise<TestApprover> {
    const approver = new TestApprover(home.person(name));
    await approver.enroll(home, ...roles);
    return approver;
  }

  async enroll(home: Home, ...roles: readonly string[]): Promise<void> {
    const { subject, keyText } = this;
    must(
      await enrollApprover(
        home,
        { subject, roles, key: { kind: 'ssh', key: keyText } },
        { actor: 'test', atSeconds: nowSeconds() },
      ),
    );
  }

  sign(
    statement: ApprovalStatement | ReviewStatement,
    options: { readonly namespace?: string; readonly hashName?: string } = {},
  ): StatementSignature {
    const make = (payload: Buffer) =>
      Buffer.concat([sshString('ssh-ed25519'), sshString(sign(null, payload, this.#key))]);
    const blob = sshSignature(this.#blob, statementBytes(statement), make, options);
    return { kind: 'ssh', signature: blob.toString('base64url') };
  }
}
