import { asn1 } from '../asn1.ts';
import type { NewExtension } from './build-certificate.ts';

/** The extensions of X.509-SVIDs and of the authorities that sign them (X509-SVID §4). */
export const extensions = {
  basicConstraints(isAuthority: boolean, maxPathLength?: number): NewExtension {
    const { AsnConvert, BasicConstraints } = asn1();
    const value = new BasicConstraints({
      cA: isAuthority,
      ...(maxPathLength === undefined ? {} : { pathLenConstraint: maxPathLength }),
    });
    return { id: '2.5.29.19', critical: true, value: AsnConvert.serialize(value) };
  },

  keyUsage(
    names: readonly ('digitalSignature' | 'keyCertSign' | 'cRLSign')[],
    critical = true,
  ): NewExtension {
    const { AsnConvert, KeyUsage, KeyUsageFlags } = asn1();
    const bits = names.reduce((sum, name) => sum | KeyUsageFlags[name], 0);
    return { id: '2.5.29.15', critical, value: AsnConvert.serialize(new KeyUsage(bits)) };
  },

  extendedKeyUsage(ids: readonly string[] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']): NewExtension {
    const { AsnConvert, ExtendedKeyUsage } = asn1();
    return { id: '2.5.29.37', critical: false, value: AsnConvert.serialize(new ExtendedKeyUsage([...ids])) };
  },

  names(
    { uris = [], hosts = [] }: { uris?: readonly string[]; hosts?: readonly string[] },
    critical = false,
  ): NewExtension {
    const { AsnConvert, GeneralName, SubjectAlternativeName } = asn1();
    const names = [
      ...uris.map((uri) => new GeneralName({ uniformResourceIdentifier: uri })),
      ...hosts.map((host) => new GeneralName({ dNSName: host })),
    ];
    return { id: '2.5.29.17', critical, value: AsnConvert.serialize(new SubjectAlternativeName(names)) };
  },
};
