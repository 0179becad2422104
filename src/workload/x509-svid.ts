import { type Certificate, parseCertificate } from './certificate.ts';
import { permitsNames } from './name-constraints.ts';
import { parseSpiffeId, parseWorkloadId } from './spiffe-id.ts';
import type { TrustBundle } from './trust-bundle.ts';

/** Whose certificate it is, and until when that stands. */
export interface VerifiedSvid {
  readonly id: string;
  readonly expSeconds: number;
}

/** The leaf, its intermediates in order, and the authority of the bundle that the last of them was issued by. */
type Path = readonly Certificate[];

/** What of a chain does not change with time: its valid paths, or why there is none. */
interface Examined {
  readonly id: string;
  readonly paths: readonly Path[];
}

const MAX_CERTIFICATES = 8;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** By chain and bundle, for as long as both are in use: a connection presents one chain with every call. */
const examined = new WeakMap<readonly string[], WeakMap<TrustBundle, Examined | string>>();

const claimed = new WeakMap<readonly string[], string | undefined>();

/** The trust domain that a chain claims to be of: what bundle it has to be verified with. */
export function claimedTrustDomain(certificates: readonly string[]): string | undefined {
  if (!claimed.has(certificates)) claimed.set(certificates, readTrustDomain(certificates));
  return claimed.get(certificates);
}

function readTrustDomain([leaf]: readonly string[]): string | undefined {
  const certificate = leaf === undefined ? undefined : parseBase64(leaf);
  if (certificate === undefined || typeof certificate === 'string') return undefined;
  const [uri, ...others] = certificate.uris;
  return uri === undefined || others.length > 0 ? undefined : parseWorkloadId(uri)?.trustDomain;
}

/**
 * Verifies a chain as an X.509-SVID (X509-SVID §5, RFC 5280 §6): that its holder has the leaf's key is for whoever received
 * it to see. Pure.
 *
 * @param certificates DER in base64, the leaf first. INVARIANT: never changed afterwards; what was found is remembered by it.
 * @returns what is wrong with it, as a text.
 */
export function verifyX509Svid(
  certificates: readonly string[],
  bundle: TrustBundle,
  nowSeconds: number,
): VerifiedSvid | string {
  const known = examined.get(certificates) ?? new WeakMap<TrustBundle, Examined | string>();
  examined.set(certificates, known);
  const result = known.get(bundle) ?? examine(certificates, bundle);
  known.set(bundle, result);
  if (typeof result === 'string') return result;
  for (const path of result.paths) {
    const notBefore = Math.max(...path.map(({ notBeforeSeconds }) => notBeforeSeconds));
    const notAfter = Math.min(...path.map(({ notAfterSeconds }) => notAfterSeconds));
    if (nowSeconds >= notBefore && nowSeconds <= notAfter) return { id: result.id, expSeconds: notAfter };
  }
  return 'a certificate of its path has expired, or is not valid yet';
}

function examine(certificates: readonly string[], bundle: TrustBundle): Examined | string {
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES) {
    return `it is no chain of at most ${MAX_CERTIFICATES} certificates`;
  }
  const chain: Certificate[] = [];
  for (const text of certificates) {
    const certificate = parseBase64(text);
    if (typeof certificate === 'string') return `a certificate: ${certificate}`;
    chain.push(certificate);
  }
  const [leaf] = chain;
  const problem = leaf === undefined ? 'it is empty' : findLeafProblem(leaf, bundle.trustDomain);
  if (problem !== undefined) return problem;
  const paths: Path[] = [];
  let refused: string | undefined;
  for (const [index, certificate] of chain.entries()) {
    const subject = chain[index - 1];
    if (subject !== undefined && !hasIssued(certificate, subject)) break;
    for (const authority of bundle.authorities) {
      if (!hasIssued(authority, certificate)) continue;
      const path = [...chain.slice(0, index + 1), authority];
      const pathProblem = findPathProblem(path);
      if (pathProblem === undefined) paths.push(path);
      else refused ??= pathProblem;
    }
  }
  const id = leaf?.uris[0] ?? '';
  return paths.length > 0 ? { id, paths } : (refused ?? 'no authority of its trust domain has issued it');
}

/** X509-SVID §5.2, and what §4 demands of leaves. */
function findLeafProblem(leaf: Certificate, trustDomain: string): string | undefined {
  const { isAuthority, keyUsage, extendedKeyUsage, uris, isNamed } = leaf;
  if (isAuthority) return 'the leaf is an authority';
  if (keyUsage === undefined || !keyUsage.critical) return 'the leaf has no critical key usage';
  if (keyUsage.keyCertSign || keyUsage.cRLSign) return 'the leaf may sign certificates';
  if (!keyUsage.digitalSignature) return 'the leaf may not sign';
  if (
    extendedKeyUsage &&
    !(extendedKeyUsage.includes(CLIENT_AUTH) && extendedKeyUsage.includes(SERVER_AUTH))
  ) {
    return 'the leaf is not for both ends of TLS';
  }
  if (!isNamed) return 'the leaf has no subject, and names that are not critical';
  const [uri, ...others] = uris;
  if (uri === undefined || others.length > 0) return 'the leaf does not have exactly one URI name';
  const id = parseWorkloadId(uri);
  if (id === undefined) return 'the leaf’s URI name is no SPIFFE ID of a workload';
  return id.trustDomain === trustDomain ? undefined : 'the leaf is of another trust domain';
}

/** RFC 5280 §6.1 of a path whose signatures are verified, but for time. */
function findPathProblem(path: Path): string | undefined {
  /** Intermediates between the authority that is looked at and the leaf, that are not self-issued. */
  let between = 0;
  for (const [index, authority] of path.entries()) {
    if (index === 0) continue;
    const { isAuthority, keyUsage, maxPathLength, nameConstraints, uris, x509 } = authority;
    if (!isAuthority || keyUsage?.keyCertSign !== true) return 'an issuer is no authority';
    if (maxPathLength !== undefined && between > maxPathLength)
      return 'the path is longer than an authority allows';
    if (uris.length > 1 || uris.some((uri) => parseSpiffeId(uri)?.path !== '')) {
      return 'an authority’s URI name is no trust domain';
    }
    const below = path.slice(0, index);
    if (
      nameConstraints &&
      !below.every(({ names, uris: [uri] }) => {
        const trustDomain = uri === undefined ? undefined : parseSpiffeId(uri)?.trustDomain;
        return permitsNames(nameConstraints, names, trustDomain);
      })
    ) {
      return 'an authority’s name constraints exclude it';
    }
    if (x509.subject !== x509.issuer) between += 1;
  }
  return undefined;
}

function hasIssued(issuer: Certificate, subject: Certificate): boolean {
  try {
    return subject.x509.checkIssued(issuer.x509) && subject.x509.verify(issuer.x509.publicKey);
  } catch {
    return false;
  }
}

function parseBase64(text: string): Certificate | string {
  return BASE64.test(text) ? parseCertificate(Buffer.from(text, 'base64')) : 'it is not base64';
}
