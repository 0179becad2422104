import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { decodeCredentialPublicKey, isoCBOR } from '@simplewebauthn/server/helpers';
import { sha256, sha256Base64url } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import {
  type ApprovalStatement,
  type ApproverKey,
  type CredentialJwk,
  findSignatureProblem,
  parseApproverKey,
  type ReviewStatement,
  type StatementSignature,
  statementBytes,
} from '../governance/index.ts';
import type { RelyingParty } from './config/index.ts';

type WebAuthnKey = Extract<ApproverKey, { kind: 'webauthn' }>;

/** COSE algorithms: Ed25519, ECDSA P-256, RSA PKCS#1 with SHA-256. */
const ALGORITHMS = [-8, -7, -257];

/** COSE_Key labels and values (RFC 9053 §7). */
const COSE = { kty: 1, alg: 3, crv: -1, x: -2, y: -3, n: -1, e: -2, okp: 1, ec2: 2, rsa: 3 } as const;
const CURVES = { p256: 1, ed25519: 6 } as const;
const F4 = '010001';

/**
 * What a browser is given to make a credential for an approver. Its `challenge` is random: keep it until the answer comes, for
 * that approver alone, and use it once.
 */
export function registrationOptions(
  { rpId, name }: RelyingParty,
  approver: { readonly subject: string; readonly known: readonly WebAuthnKey[] },
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  return generateRegistrationOptions({
    rpName: name,
    rpID: rpId,
    userName: approver.subject,
    // A stable handle that says nothing about whom it stands for.
    userID: Uint8Array.from(sha256(Buffer.from(`writ/webauthn-user@v1\n${approver.subject}`))),
    attestationType: 'none',
    excludeCredentials: approver.known.map(({ credentialId }) => ({ id: credentialId })),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    supportedAlgorithmIDs: ALGORITHMS,
  });
}

/** The key to enrol an approver with (`enrollApprover`), from what the browser answered. Never rejects. */
export async function verifyRegistration(
  { rpId, origin }: RelyingParty,
  response: RegistrationResponseJSON,
  expectedChallenge: string,
): Promise<WebAuthnKey | Denial> {
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge,
      expectedOrigin: origin,
      expectedRPID: rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    const jwk = registrationInfo && jwkOfCose(registrationInfo.credential.publicKey);
    if (!verified || jwk === undefined)
      return deny('identity.proof_invalid', 'the credential does not verify');
    const key: WebAuthnKey = {
      kind: 'webauthn',
      credentialId: registrationInfo.credential.id,
      ...{ jwk, rpId, origin },
    };
    const parsed = parseApproverKey(key);
    return typeof parsed === 'string' ? deny('identity.proof_invalid', parsed) : key;
  } catch {
    return deny('identity.proof_invalid', 'the credential does not verify');
  }
}

/**
 * What a browser is given to sign a statement with: the challenge **is** the statement's digest, so what is signed is the
 * statement. The page must show what it says: the browser does not.
 */
export function assertionOptions(
  statement: ApprovalStatement | ReviewStatement,
  keys: readonly WebAuthnKey[],
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const [first] = keys;
  if (first === undefined) throw new TypeError('the approver has no credential');
  return generateAuthenticationOptions({
    rpID: first.rpId,
    challenge: Uint8Array.from(sha256(statementBytes(statement))),
    allowCredentials: keys.map(({ credentialId }) => ({ id: credentialId })),
    userVerification: 'required',
  });
}

/** The signature to record a statement with (`recordApproval`, `recordReview`), from what the browser answered. Never rejects. */
export async function verifyAssertion(
  statement: ApprovalStatement | ReviewStatement,
  response: AuthenticationResponseJSON,
  keys: readonly WebAuthnKey[],
): Promise<StatementSignature | Denial> {
  const invalid = (detail: string) => deny('identity.proof_invalid', detail);
  try {
    const key = keys.find(({ credentialId }) => credentialId === response.id);
    if (key === undefined) return invalid('the credential is not one of the approver');
    const bytes = statementBytes(statement);
    const { verified } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: sha256Base64url(bytes),
      expectedOrigin: key.origin,
      expectedRPID: key.rpId,
      // The counter is of no use here: a statement is single by its nonce.
      credential: { id: key.credentialId, publicKey: coseOfJwk(key.jwk), counter: 0 },
      requireUserVerification: true,
    });
    if (!verified) return invalid('the assertion does not verify');
    const { authenticatorData, clientDataJSON, signature } = response.response;
    const signed: StatementSignature = {
      kind: 'webauthn',
      credentialId: key.credentialId,
      ...{ authenticatorData, clientDataJSON, signature },
    };
    // INVARIANT: what is handed on is what the governance log's fold accepts.
    const parsed = parseApproverKey(key);
    const problem = typeof parsed === 'string' ? parsed : findSignatureProblem(bytes, signed, parsed);
    return problem === undefined ? signed : invalid(problem);
  } catch {
    return invalid('the assertion does not verify');
  }
}

function jwkOfCose(publicKey: Uint8Array<ArrayBuffer>): CredentialJwk | undefined {
  const cose = decodeCredentialPublicKey(publicKey) as unknown as ReadonlyMap<number, unknown>;
  const text = (label: number): string => {
    const value = cose.get(label);
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : '';
  };
  switch (cose.get(COSE.kty)) {
    case COSE.okp:
      return cose.get(COSE.crv) === CURVES.ed25519
        ? { kty: 'OKP', crv: 'Ed25519', x: text(COSE.x) }
        : undefined;
    case COSE.ec2:
      return cose.get(COSE.crv) === CURVES.p256
        ? { kty: 'EC', crv: 'P-256', x: text(COSE.x), y: text(COSE.y) }
        : undefined;
    case COSE.rsa:
      return Buffer.from(text(COSE.e), 'base64url').toString('hex') === F4
        ? { kty: 'RSA', n: text(COSE.n), e: 'AQAB' }
        : undefined;
    default:
      return undefined;
  }
}

function coseOfJwk(jwk: CredentialJwk): Uint8Array<ArrayBuffer> {
  const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64url'));
  const members: [number, number | Uint8Array<ArrayBuffer>][] =
    jwk.kty === 'OKP'
      ? [
          [COSE.kty, COSE.okp],
          [COSE.alg, -8],
          [COSE.crv, CURVES.ed25519],
          [COSE.x, bytes(jwk.x)],
        ]
      : jwk.kty === 'EC'
        ? [
            [COSE.kty, COSE.ec2],
            [COSE.alg, -7],
            [COSE.crv, CURVES.p256],
            [COSE.x, bytes(jwk.x)],
            [COSE.y, bytes(jwk.y)],
          ]
        : [
            [COSE.kty, COSE.rsa],
            [COSE.alg, -257],
            [COSE.n, bytes(jwk.n)],
            [COSE.e, bytes(jwk.e)],
          ];
  return isoCBOR.encode(new Map(members));
}
