import { X509Certificate } from 'node:crypto';
import type { Certificate as AsnCertificate, Extension, GeneralName } from '@peculiar/asn1-x509';
import { asn1 } from './asn1.ts';
import { type NameConstraints, nameConstraintsOf } from './name-constraints.ts';

/** A certificate, and what path validation reads of it (RFC 5280 §4.2). Nothing is verified. */
export interface Certificate {
  readonly x509: X509Certificate;
  readonly isAuthority: boolean;
  readonly maxPathLength: number | undefined;
  readonly keyUsage: KeyUsage | undefined;
  /** Object identifiers. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly names: readonly GeneralName[];
  readonly uris: readonly string[];
  /** A subject that is not empty, or alternative names that are critical instead (RFC 5280 §4.1.2.6). */
  readonly isNamed: boolean;
  readonly nameConstraints: NameConstraints | undefined;
  readonly notBeforeSeconds: number;
  readonly notAfterSeconds: number;
}

export interface KeyUsage {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly cRLSign: boolean;
}

const MAX_BYTES = 16 * 1024;
const V3 = 2;
const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const ALTERNATIVE_NAMES = '2.5.29.17';
const NAME_CONSTRAINTS = '2.5.29.30';
/** What is read here; any other that is critical refuses the certificate (RFC 5280 §4.2). */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  BASIC_CONSTRAINTS,
  KEY_USAGE,
  EXTENDED_KEY_USAGE,
  ALTERNATIVE_NAMES,
  NAME_CONSTRAINTS,
]);

/** Signature algorithms that count: nothing with MD5 or SHA-1, which OpenSSL would still verify. */
const SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.3.101.112',
]);
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const MIN_RSA_BITS = 2048;

/**
 * Parses a certificate in DER from an untrusted source.
 *
 * @returns what is wrong with it, as a text.
 */
export function parseCertificate(der: Uint8Array): Certificate | string {
  if (der.byteLength > MAX_BYTES) return `it is longer than ${MAX_BYTES} bytes`;
  try {
    const x509 = new X509Certificate(der);
    if (!x509.raw.equals(der)) return 'bytes follow it';
    const { AsnConvert, Certificate: Shape } = asn1();
    return read(x509, AsnConvert.parse(der, Shape));
  } catch {
    return 'it cannot be parsed';
  }
}

function read(
  x509: X509Certificate,
  { tbsCertificate, signatureAlgorithm }: AsnCertificate,
): Certificate | string {
  const { AsnConvert, BasicConstraints, SubjectAlternativeName, ExtendedKeyUsage } = asn1();
  if (tbsCertificate.version !== V3) return 'it is not of version 3';
  const algorithm = signatureAlgorithm.algorithm;
  if (!SIGNATURES.has(algorithm) || tbsCertificate.signature.algorithm !== algorithm) {
    return 'its signature algorithm does not count';
  }
  if (!hasStrongKey(x509)) return 'its key is too weak';
  const extensions = new Map<string, Extension>();
  for (const extension of tbsCertificate.extensions ?? []) {
    const { extnID, critical } = extension;
    if (extensions.has(extnID)) return 'it has an extension twice';
    if (critical && !UNDERSTOOD.has(extnID)) return 'it has a critical extension that is not understood';
    extensions.set(extnID, extension);
  }
  const contentOf = <T>(id: string, shape: new () => T): T | undefined => {
    const extension = extensions.get(id);
    return extension && AsnConvert.parse(extension.extnValue.buffer, shape);
  };
  const basic = contentOf(BASIC_CONSTRAINTS, BasicConstraints);
  const isAuthority = basic?.cA === true;
  const names = [...(contentOf(ALTERNATIVE_NAMES, SubjectAlternativeName) ?? [])];
  const uris = names.flatMap(({ uniformResourceIdentifier: uri }) => (uri === undefined ? [] : [uri]));
  // INVARIANT: the reader that verifies signatures sees the same certificate as the one that reads names.
  if ((x509.ca && !isAuthority) || !agrees(x509, uris)) return 'its readers disagree about it';
  const constraints = nameConstraintsOf(contentOf(NAME_CONSTRAINTS, asn1().NameConstraints));
  if (typeof constraints === 'string') return constraints;
  const extended = contentOf(EXTENDED_KEY_USAGE, ExtendedKeyUsage);
  return {
    x509,
    isAuthority,
    maxPathLength: basic?.pathLenConstraint,
    keyUsage: keyUsageOf(extensions.get(KEY_USAGE)),
    extendedKeyUsage: extended && [...extended],
    names,
    uris,
    isNamed: tbsCertificate.subject.length > 0 || extensions.get(ALTERNATIVE_NAMES)?.critical === true,
    nameConstraints: constraints,
    notBeforeSeconds: x509.validFromDate.getTime() / 1000,
    notAfterSeconds: x509.validToDate.getTime() / 1000,
  };
}

function keyUsageOf(extension: Extension | undefined): KeyUsage | undefined {
  if (extension === undefined) return undefined;
  const { AsnConvert, KeyUsage: Shape, KeyUsageFlags } = asn1();
  const bits = AsnConvert.parse(extension.extnValue.buffer, Shape).toNumber();
  return {
    critical: extension.critical,
    digitalSignature: (bits & KeyUsageFlags.digitalSignature) !== 0,
    keyCertSign: (bits & KeyUsageFlags.keyCertSign) !== 0,
    cRLSign: (bits & KeyUsageFlags.cRLSign) !== 0,
  };
}

function hasStrongKey({ publicKey }: X509Certificate): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === 'ec') return CURVES.has(details?.namedCurve ?? '');
  if (type === 'rsa') return (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
  return type === 'ed25519';
}

/** Node quotes names with odd characters: such a name agrees with nothing. */
function agrees({ subjectAltName = '' }: X509Certificate, uris: readonly string[]): boolean {
  const read = subjectAltName
    .split(', ')
    .flatMap((name) => (name.startsWith('URI:') ? [name.slice('URI:'.length)] : []));
  return read.length === uris.length && read.every((uri, index) => uri === uris[index]);
}
