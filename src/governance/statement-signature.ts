import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { decodeBase64url, parseJsonObject, sha256Base64url } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  findSshSignatureProblem,
  jwkThumbprint,
  parsePublicJwk,
  parseSshPublicKey,
  type SshPublicKey,
} from '../key/index.ts';
import type { ApproverKey, CredentialJwk } from './approval-event.ts';
import { APPROVAL_NAMESPACE, type StatementSignature } from './approval-statement.ts';

/** An approver's key, parsed once. */
export type ParsedApproverKey = {
  /** RFC 7638 SHA-256 thumbprint, base64url, whatever the key is enrolled as. */
  readonly thumbprint: string;
  readonly stated: ApproverKey;
} & (
  | { readonly kind: 'ssh'; readonly ssh: SshPublicKey }
  | { readonly kind: 'webauthn'; readonly key: KeyObject }
);

const MIN_RSA_BITS = 2048;
const MAX_CLIENT_DATA_BYTES = 4096;
const AUTHENTICATOR_DATA_BYTES = 37;
/** WebAuthn Level 3 §6.1: user present, user verified. */
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;

/** @returns what is wrong with the key instead, where something is. */
export function parseApproverKey(stated: ApproverKey): ParsedApproverKey | string {
  if (stated.kind === 'ssh') {
    const ssh = parseSshPublicKey(stated.key);
    return isDenial(ssh) ? ssh.detail : { kind: 'ssh', ssh, thumbprint: ssh.thumbprint, stated };
  }
  const key = credentialKey(stated.jwk);
  const thumbprint = key && jwkThumbprint(key);
  return key === undefined || thumbprint === undefined
    ? 'the credential’s public key cannot be used'
    : { kind: 'webauthn', key, thumbprint, stated };
}

/** What is wrong with a signature of a statement's bytes under this key; undefined where it verifies. Never throws. */
export function findSignatureProblem(
  bytes: Uint8Array,
  signature: StatementSignature,
  key: ParsedApproverKey,
): string | undefined {
  if (signature.kind === 'ssh') {
    if (key.kind !== 'ssh') return 'it was made with another kind of key';
    const blob = decodeBase64url(signature.signature, 'request.malformed');
    return isDenial(blob)
      ? blob.detail
      : findSshSignatureProblem(blob, key.ssh, { message: bytes, namespace: APPROVAL_NAMESPACE });
  }
  if (key.kind !== 'webauthn' || key.stated.kind !== 'webauthn')
    return 'it was made with another kind of key';
  return findAssertionProblem(bytes, signature, key.key, key.stated);
}

/**
 * WebAuthn Level 3 §7.2, what of it is about one assertion by a known credential: the challenge is the statement's digest,
 * the page was of the enrolled origin, and the person was verified. A signature counter says nothing here: many
 * credentials have none, and a statement is single by its nonce.
 */
function findAssertionProblem(
  bytes: Uint8Array,
  signature: Extract<StatementSignature, { kind: 'webauthn' }>,
  key: KeyObject,
  { credentialId, rpId, origin }: Extract<ApproverKey, { kind: 'webauthn' }>,
): string | undefined {
  if (signature.credentialId !== credentialId) return 'it was made with another credential';
  const [clientData, authenticatorData, signed] = [
    signature.clientDataJSON,
    signature.authenticatorData,
    signature.signature,
  ].map((part) => Buffer.from(part, 'base64url'));
  if (clientData === undefined || authenticatorData === undefined || signed === undefined)
    return 'it is incomplete';
  const json = parseJsonObject(clientData, 'request.malformed', {
    maxBytes: MAX_CLIENT_DATA_BYTES,
    maxDepth: 8,
  });
  if (isDenial(json) || json.type !== 'webauthn.get') return 'it is no WebAuthn assertion';
  if (json.challenge !== sha256Base64url(bytes)) return 'it was made for another statement';
  if (json.origin !== origin || json.crossOrigin === true) return 'it was made on another page';
  if (authenticatorData.byteLength < AUTHENTICATOR_DATA_BYTES) return 'it is no WebAuthn assertion';
  if (!authenticatorData.subarray(0, 32).equals(hash('sha256', rpId, 'buffer'))) {
    return 'it was made for another relying party';
  }
  const flags = authenticatorData[32] ?? 0;
  if ((flags & USER_PRESENT) === 0 || (flags & USER_VERIFIED) === 0) return 'the person was not verified';
  const payload = Buffer.concat([authenticatorData, hash('sha256', clientData, 'buffer')]);
  try {
    const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return verify(algorithm, payload, key, signed) ? undefined : 'it does not verify';
  } catch {
    return 'it does not verify';
  }
}

function credentialKey(jwk: CredentialJwk): KeyObject | undefined {
  try {
    if (jwk.kty === 'OKP' && isDenial(parsePublicJwk({ ...jwk }, 'request.malformed'))) return undefined;
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    const { modulusLength = MIN_RSA_BITS } = key.asymmetricKeyDetails ?? {};
    return modulusLength >= MIN_RSA_BITS ? key : undefined;
  } catch {
    return undefined;
  }
}
