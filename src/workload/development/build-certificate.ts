import { createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { Extension as AsnExtension } from '@peculiar/asn1-x509';
import { asn1 } from '../asn1.ts';

/** An extension as it stands in a certificate: its value in DER. */
export interface NewExtension {
  readonly id: string;
  readonly critical: boolean;
  readonly value: ArrayBuffer;
}

export interface NewCertificate {
  /** Common name; absent: the subject is empty. */
  readonly subject?: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  /** A P-256 key. */
  readonly issuerKey: KeyObject;
  readonly notBeforeSeconds: number;
  readonly notAfterSeconds: number;
  readonly extensions: readonly NewExtension[];
}

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const SERIAL_BYTES = 16;

/** Signs a certificate by ECDSA with SHA-256. What stands in it is for the caller to know: nothing is checked. */
export function buildCertificate(certificate: NewCertificate): Buffer {
  const { AsnConvert, Certificate, TBSCertificate, AlgorithmIdentifier, SubjectPublicKeyInfo, ...more } =
    asn1();
  const { subject, issuer, publicKey, issuerKey, notBeforeSeconds, notAfterSeconds, extensions } =
    certificate;
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_SHA256 });
  const spki = createPublicKey(
    publicKey.type === 'private'
      ? publicKey.export({ type: 'pkcs8', format: 'pem' })
      : publicKey.export({ type: 'spki', format: 'pem' }),
  );
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const tbsCertificate = new TBSCertificate({
    version: 2,
    serialNumber: arrayBuffer(serial),
    signature: algorithm,
    issuer: nameOf(issuer),
    validity: new more.Validity({
      notBefore: new Date(notBeforeSeconds * 1000),
      notAfter: new Date(notAfterSeconds * 1000),
    }),
    subject: nameOf(subject),
    subjectPublicKeyInfo: AsnConvert.parse(
      spki.export({ type: 'spki', format: 'der' }),
      SubjectPublicKeyInfo,
    ),
    extensions: new more.Extensions(extensions.map(extensionOf)),
  });
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), issuerKey);
  return Buffer.from(
    AsnConvert.serialize(
      new Certificate({
        tbsCertificate,
        signatureAlgorithm: algorithm,
        signatureValue: arrayBuffer(signature),
      }),
    ),
  );
}

function extensionOf({ id, critical, value }: NewExtension): AsnExtension {
  const { Extension, OctetString } = asn1();
  return new Extension({ extnID: id, critical, extnValue: new OctetString(value) });
}

function nameOf(commonName: string | undefined) {
  const { Name, RelativeDistinguishedName, AttributeTypeAndValue, AttributeValue } = asn1();
  if (commonName === undefined) return new Name([]);
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
