import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { GovernanceState } from '../../governance/index.ts';
import { bundleOf, type TrustBundles, verifyX509Svid } from '../../workload/index.ts';
import type { ListenConfig } from '../config/index.ts';
import { hashOfApiToken } from './api-token.ts';
import type { Caller } from './caller.ts';
import { peerCertificatesOf } from './peer-certificates.ts';

export type Certified = NonNullable<ListenConfig['tls']>['callers'];

export interface IdentitySources {
  readonly domain: string;
  readonly state: GovernanceState;
  readonly nowSeconds: number;
  /** Callers with client certificates. */
  readonly certified: Certified;
  /** What certificates of workloads are verified with, beside the authorities of the listener. */
  readonly trustBundles: TrustBundles;
}

/**
 * Who sends a request over TCP: by the client certificate of its connection, or by its bearer token (RFC 6750 §2.1).
 *
 * @returns undefined where it says nothing; a text where what it says does not count, which is never passed over: a
 *   request with a wrong identity is not an anonymous one.
 */
export function identify(request: IncomingMessage, sources: IdentitySources): Caller | string | undefined {
  const authorizations = headersNamed(request, 'authorization');
  const certificate = certifiedCaller(request, sources);
  if (authorizations.length > 1) return 'it has more than one Authorization header';
  const [authorization] = authorizations;
  if (authorization === undefined) return certificate;
  if (certificate !== undefined) return 'it has a client certificate and an Authorization header';
  const [, token] = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization) ?? [];
  const hash = token === undefined ? undefined : hashOfApiToken(token);
  const known = hash === undefined ? undefined : sources.state.apiToken(hash);
  if (known === undefined || known.dismissed) return 'the token is not known here';
  if (known.expSeconds !== undefined && sources.nowSeconds >= known.expSeconds)
    return 'the token has expired';
  const prefix = `spiffe://${sources.domain}/caller/`;
  const { caller: id, role } = known;
  if (role !== 'enforcement-point') return { id, role };
  return { id, role, enforcementPoint: id.startsWith(prefix) ? id.slice(prefix.length) : '' };
}

/** As sent: Node drops repetitions of some headers silently. */
function headersNamed({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
}

function certifiedCaller(
  request: IncomingMessage,
  { certified, trustBundles, nowSeconds }: IdentitySources,
): Caller | string | undefined {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  if (!socket.authorized && !isWorkload(request, trustBundles, nowSeconds)) {
    return 'the client certificate is not signed by an accepted authority';
  }
  const uris = (certificate.subjectAltName ?? '')
    .split(', ')
    .flatMap((name) => (name.startsWith('URI:') ? [name.slice('URI:'.length)] : []));
  const [id, ...others] = uris;
  // An X.509-SVID has exactly one (SPIFFE X509-SVID §2). Node puts names with odd characters in quotes: they match nobody.
  if (id === undefined || others.length > 0)
    return 'the client certificate does not have exactly one URI name';
  const caller = certified.find((known) => known.id === id);
  if (caller === undefined) return 'the client certificate names nobody who may call';
  const { role, enforcementPoint } = caller;
  return { id, role, ...(enforcementPoint === undefined ? {} : { enforcementPoint }) };
}

/** Whether the certificate is an X.509-SVID of a trust domain whose bundle is known, now: SVIDs end while connections last. */
function isWorkload(request: IncomingMessage, bundles: TrustBundles, nowSeconds: number): boolean {
  const certificates = peerCertificatesOf(request);
  const bundle = certificates && bundleOf({ kind: 'x509-svid', certificates }, bundles);
  return bundle !== undefined && typeof verifyX509Svid(certificates ?? [], bundle, nowSeconds) === 'object';
}
