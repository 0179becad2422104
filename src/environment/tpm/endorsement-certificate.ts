import { X509Certificate } from 'node:crypto';
import { type EndorsementKey, isSameKey } from './endorsement-key.ts';

/** An endorsement key's certificate that leads to a root that was named. */
export interface EndorsementVouch {
  /** SHA-256 of certificate and root, base64url. */
  readonly certificate: string;
  readonly root: string;
  /** Whether the TPM is a program, by what its certificates say. */
  readonly isSimulator: boolean;
}

/** tcg-kp-EKCertificate (TCG EK Credential Profile §3.2.16). */
const EK_CERTIFICATE_USE = '2.23.133.8.1';
const MAX_DEPTH = 6;
/** What makers of software TPMs write into certificates: swtpm's CA and model, and IBM's and Microsoft's simulators. */
const SIMULATOR_MARKS = ['swtpm', 'id:00001014', 'id:49424D00', 'simulator'];

export interface VouchSources {
  /** DER. Between the certificate and a root; they vouch for nothing by themselves. */
  readonly intermediates: readonly Uint8Array[];
  /** DER. The makers' certificates that the operator trusts. */
  readonly roots: readonly Uint8Array[];
}

/** Verifies that a maker vouches for an endorsement key, or says what is wrong. */
export function verifyEndorsement(
  certificate: Uint8Array,
  endorsement: EndorsementKey,
  { intermediates, roots }: VouchSources,
  nowMs: number,
): EndorsementVouch | string {
  try {
    const leaf = new X509Certificate(certificate);
    if (leaf.ca || !(leaf.keyUsage ?? []).includes(EK_CERTIFICATE_USE)) {
      return 'the certificate is not one of an endorsement key';
    }
    if (!isSameKey(leaf.publicKey, endorsement.key)) return 'the certificate is of another key';
    if (!isInTime(leaf, nowMs)) return 'the certificate is not valid at this time';
    const chain = findChain(
      leaf,
      intermediates.map((bytes) => new X509Certificate(bytes)),
      roots.map((bytes) => new X509Certificate(bytes)),
      nowMs,
    );
    const root = chain?.at(-1);
    if (chain === undefined || root === undefined)
      return 'the certificate does not lead to a root that is trusted';
    return {
      certificate: fingerprint(leaf),
      root: fingerprint(root),
      isSimulator: chain.some(isOfSimulator),
    };
  } catch {
    return 'a certificate is malformed';
  }
}

function findChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  nowMs: number,
): readonly X509Certificate[] | undefined {
  const chain = [leaf];
  for (let subject = leaf; chain.length < MAX_DEPTH; ) {
    const issued = (issuer: X509Certificate) =>
      issuer.ca && isInTime(issuer, nowMs) && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
    const root = roots.find(issued);
    if (root !== undefined) return [...chain, root];
    const issuer = intermediates.find((candidate) => !chain.includes(candidate) && issued(candidate));
    if (issuer === undefined) return undefined;
    chain.push(issuer);
    subject = issuer;
  }
  return undefined;
}

function isInTime({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  // Written so that a date that is none is no time.
  return validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime();
}

function isOfSimulator({ raw }: X509Certificate): boolean {
  const text = raw.toString('latin1').toLowerCase();
  return SIMULATOR_MARKS.some((mark) => text.includes(mark.toLowerCase()));
}

function fingerprint({ fingerprint256 }: X509Certificate): string {
  return Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
}
