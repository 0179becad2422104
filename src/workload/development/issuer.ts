import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type JsonObject, sha256Base64url } from '../../codec/index.ts';
import { ES256 } from '../es256-key.ts';
import { isTrustDomain, parseWorkloadId } from '../spiffe-id.ts';
import { WIT_TYPE } from '../wit-svid.ts';
import { signEs256 } from '../workload-proof.ts';
import { buildCertificate } from './build-certificate.ts';
import { extensions } from './extensions.ts';

/** What an issuer is made of, for a file. It holds the trust domain's private keys. */
export interface IssuerState {
  readonly trustDomain: string;
  /** PKCS #8, PEM. */
  readonly authorityKey: string;
  /** DER, base64. */
  readonly authorityCertificate: string;
  /** PKCS #8, PEM. */
  readonly witKey: string;
}

export interface IssuedX509 {
  /** DER, base64, leaf first. */
  readonly certificates: readonly string[];
  readonly privateKey: KeyObject;
}

export interface IssuedWit {
  readonly wit: string;
  readonly privateKey: KeyObject;
}

export interface Validity {
  readonly nowSeconds: number;
  readonly ttlSeconds: number;
}

const BACKDATED_SECONDS = 60;
const REFRESH_HINT_SECONDS = 300;

/**
 * Issues identities in a trust domain, to whoever has its state: for development and tests. It attests nothing. In production
 * SPIRE or another implementation of SPIFFE does this, which looks at who asks.
 */
export class DevelopmentIssuer {
  readonly #state: IssuerState;

  constructor(state: IssuerState) {
    this.#state = state;
  }

  /** @throws TypeError where that is no name of a trust domain. */
  static create(trustDomain: string, { nowSeconds, ttlSeconds }: Validity): DevelopmentIssuer {
    if (!isTrustDomain(trustDomain)) throw new TypeError('no name of a trust domain');
    const authorityKey = newKey();
    const name = authorityName(trustDomain);
    const certificate = buildCertificate({
      ...{ subject: name, issuer: name, publicKey: authorityKey, issuerKey: authorityKey },
      notBeforeSeconds: nowSeconds - BACKDATED_SECONDS,
      notAfterSeconds: nowSeconds + ttlSeconds,
      extensions: [
        extensions.basicConstraints(true, 0),
        extensions.keyUsage(['keyCertSign', 'cRLSign']),
        extensions.names({ uris: [`spiffe://${trustDomain}`] }),
      ],
    });
    return new DevelopmentIssuer({
      trustDomain,
      authorityKey: pemOf(authorityKey),
      authorityCertificate: certificate.toString('base64'),
      witKey: pemOf(newKey()),
    });
  }

  get state(): IssuerState {
    return this.#state;
  }

  get trustDomain(): string {
    return this.#state.trustDomain;
  }

  /** The trust bundle that verifies what it issues. */
  bundle(sequence = 1): JsonObject {
    const { authorityCertificate, witKey } = this.#state;
    const authority = publicJwk(createPrivateKey(this.#state.authorityKey));
    const wit = publicJwk(createPrivateKey(witKey));
    return {
      keys: [
        { use: 'x509-svid', ...authority, x5c: [authorityCertificate] },
        { use: 'wit-svid', kid: kidOf(wit), alg: ES256, ...wit },
      ],
      spiffe_sequence: sequence,
      spiffe_refresh_hint: REFRESH_HINT_SECONDS,
    };
  }

  /** @throws TypeError where the id is none of a workload of this trust domain. */
  issueX509(id: string, { nowSeconds, ttlSeconds }: Validity): IssuedX509 {
    this.#check(id);
    const privateKey = newKey();
    const certificate = buildCertificate({
      subject: 'writ development workload',
      issuer: authorityName(this.trustDomain),
      publicKey: privateKey,
      issuerKey: createPrivateKey(this.#state.authorityKey),
      notBeforeSeconds: nowSeconds - BACKDATED_SECONDS,
      notAfterSeconds: nowSeconds + ttlSeconds,
      extensions: [
        extensions.basicConstraints(false),
        extensions.keyUsage(['digitalSignature']),
        extensions.extendedKeyUsage(),
        extensions.names({ uris: [id] }),
      ],
    });
    return { certificates: [certificate.toString('base64')], privateKey };
  }

  /** @throws TypeError where the id is none of a workload of this trust domain. */
  issueWit(id: string, { nowSeconds, ttlSeconds }: Validity): IssuedWit {
    this.#check(id);
    const signer = createPrivateKey(this.#state.witKey);
    const privateKey = newKey();
    const wit = signEs256(
      { alg: ES256, kid: kidOf(publicJwk(signer)), typ: WIT_TYPE },
      {
        sub: id,
        iat: Math.floor(nowSeconds),
        nbf: Math.floor(nowSeconds) - BACKDATED_SECONDS,
        exp: Math.floor(nowSeconds) + ttlSeconds,
        cnf: { jwk: { ...publicJwk(privateKey), alg: ES256 } },
      },
      signer,
    );
    return { wit, privateKey };
  }

  #check(id: string): void {
    if (parseWorkloadId(id)?.trustDomain !== this.trustDomain) {
      throw new TypeError(`no SPIFFE ID of a workload of ${this.trustDomain}`);
    }
  }
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function authorityName(trustDomain: string): string {
  return `writ development authority of ${trustDomain}`;
}

/** The public half as a JWK. */
export function publicJwk(key: KeyObject): { kty: 'EC'; crv: 'P-256'; x: string; y: string } {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return { kty: 'EC', crv: 'P-256', x, y };
}

/** RFC 7638 thumbprint. */
function kidOf({ crv, kty, x, y }: ReturnType<typeof publicJwk>): string {
  return sha256Base64url(Buffer.from(JSON.stringify({ crv, kty, x, y })));
}

/** Certificates in base64, as PEM. */
export function pemOfCertificates(certificates: readonly string[]): string {
  return certificates
    .map(
      (text) =>
        `-----BEGIN CERTIFICATE-----\n${text.replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    )
    .join('');
}
