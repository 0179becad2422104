import { createRequire } from 'node:module';

type Schema = typeof import('@peculiar/asn1-schema');
type X509 = typeof import('@peculiar/asn1-x509');

const load = createRequire(import.meta.url);
let loaded: (Pick<Schema, 'AsnConvert' | 'OctetString'> & X509) | undefined;

/** Loaded when a certificate is first read: programs that never see one do not pay for it. */
export function asn1(): Pick<Schema, 'AsnConvert' | 'OctetString'> & X509 {
  if (loaded === undefined) {
    const { AsnConvert, OctetString }: Schema = load('@peculiar/asn1-schema');
    const x509: X509 = load('@peculiar/asn1-x509');
    loaded = { ...x509, AsnConvert, OctetString };
  }
  return loaded;
}
