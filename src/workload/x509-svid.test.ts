import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { asn1 } from './asn1.ts';
import { buildCertificate, type NewCertificate, type NewExtension } from './development/build-certificate.ts';
import { extensions } from './development/extensions.ts';
import { type TrustBundle, trustBundleOf } from './trust-bundle.ts';
import { verifyX509Svid } from './x509-svid.ts';

const NOW = 1_767_787_200;
const PROD = 'prod.example';
const WEB = `spiffe://${PROD}/web`;
const newKey = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve }).privateKey;
const keys = { root: newKey(), middle: newKey(), lower: newKey(), leaf: newKey(), stranger: newKey() };
const { basicConstraints, keyUsage, extendedKeyUsage, names } = extensions;

function certificate(
  own: { subject: string; publicKey: KeyObject; extensions: readonly NewExtension[] },
  issuer: { subject: string; issuerKey: KeyObject },
  change: Partial<NewCertificate> = {},
): string {
  return buildCertificate({
    ...own,
    ...{ issuer: issuer.subject, issuerKey: issuer.issuerKey },
    ...{ notBeforeSeconds: NOW - 60, notAfterSeconds: NOW + 3600 },
    ...change,
  }).toString('base64');
}

const ROOT = { subject: 'root', issuerKey: keys.root };
const MIDDLE = { subject: 'middle', issuerKey: keys.middle };
const LOWER = { subject: 'lower', issuerKey: keys.lower };
const signs = keyUsage(['keyCertSign', 'cRLSign']);

const authority = (of: typeof ROOT, by: typeof ROOT, more: readonly NewExtension[], change = {}) =>
  certificate({ subject: of.subject, publicKey: of.issuerKey, extensions: more }, by, change);
const root = (more: readonly NewExtension[] = [basicConstraints(true), signs], change = {}) =>
  authority(ROOT, ROOT, more, change);
const middle = (more: readonly NewExtension[] = [basicConstraints(true), signs], change = {}) =>
  authority(MIDDLE, ROOT, more, change);
const lower = () => authority(LOWER, MIDDLE, [basicConstraints(true), signs]);

const LEAF = [
  basicConstraints(false),
  keyUsage(['digitalSignature']),
  extendedKeyUsage(),
  names({ uris: [WEB] }),
];
const leaf = (by = ROOT, more: readonly NewExtension[] = LEAF, change: Partial<NewCertificate> = {}) =>
  certificate({ subject: 'leaf', publicKey: keys.leaf, extensions: more }, by, change);
/** The usual extensions of a leaf, but for those given, which stand in place of theirs. */
const leafWith = (...more: readonly NewExtension[]) =>
  leaf(ROOT, [...LEAF.filter(({ id }) => !more.some((one) => one.id === id)), ...more]);
const leafWithout = (id: string) =>
  leaf(
    ROOT,
    LEAF.filter((one) => one.id !== id),
  );

function bundle(...roots: readonly string[]): TrustBundle {
  const parsed = trustBundleOf(PROD, {
    keys: roots.map((text) => ({ use: 'x509-svid', kty: 'EC', x5c: [text] })),
  });
  if (isDenial(parsed)) throw new Error(parsed.detail);
  return parsed;
}

function constraints(
  permitted: readonly string[],
  excluded: readonly string[] = [],
  dns: readonly string[] = [],
) {
  const { AsnConvert, GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } = asn1();
  const subtrees = (hosts: readonly string[], more: readonly string[] = []) =>
    new GeneralSubtrees([
      ...hosts.map(
        (host) => new GeneralSubtree({ base: new GeneralName({ uniformResourceIdentifier: host }) }),
      ),
      ...more.map((host) => new GeneralSubtree({ base: new GeneralName({ dNSName: host }) })),
    ]);
  const value = new NameConstraints({
    ...(permitted.length + dns.length > 0 ? { permittedSubtrees: subtrees(permitted, dns) } : {}),
    ...(excluded.length > 0 ? { excludedSubtrees: subtrees(excluded) } : {}),
  });
  return { id: '2.5.29.30', critical: true, value: AsnConvert.serialize(value) };
}

const plain = bundle(root());
const verify = (chain: readonly string[], by = plain, at = NOW) => verifyX509Svid(chain, by, at);
const valid = { id: WEB, expSeconds: NOW + 3600 };

describe('a chain that is an X.509-SVID', () => {
  test('leads to an authority of the bundle, whatever else stands beside it', () => {
    expect(verify([leaf()])).toEqual(valid);
    expect(verify([leaf(MIDDLE), middle()])).toEqual(valid);
    expect(verify([leaf(LOWER), lower(), middle()])).toEqual(valid);
    expect(verify([leaf(), root()])).toEqual(valid);
    expect(verify([leaf(MIDDLE), middle()], bundle(middle()))).toEqual(valid);
    // A renewed authority beside the one it replaces: one of them is in time.
    const expired = root([basicConstraints(true), signs], {
      notBeforeSeconds: NOW - 600,
      notAfterSeconds: NOW - 300,
    });
    expect(verify([leaf()], bundle(expired, root()))).toEqual(valid);
    expect(verify([leafWith(names({ uris: [WEB], hosts: ['web.prod.example'] }))])).toEqual(valid);
    expect(verify([leaf()], plain, NOW + 3600)).toEqual(valid);
  });

  test('is within the path length and the names that authorities allow', () => {
    const short = bundle(root([basicConstraints(true, 1), signs]));
    expect(verify([leaf(MIDDLE), middle()], short)).toEqual(valid);
    for (const host of [PROD, '.example']) {
      expect(verify([leaf()], bundle(root([basicConstraints(true), signs, constraints([host])])))).toEqual(
        valid,
      );
    }
    const excludes = root([basicConstraints(true), signs, constraints([], ['dev.example'])]);
    expect(verify([leaf()], bundle(excludes))).toEqual(valid);
  });
});

const cases: Readonly<Record<string, [RegExp, () => string[], ((() => TrustBundle) | undefined)?, number?]>> =
  {
    nothing: [/no chain/, () => []],
    'too many certificates': [/no chain/, () => Array.from({ length: 9 }, () => leaf())],
    'no certificate': [/cannot be parsed/, () => ['AAAA']],
    'no base64': [/not base64/, () => ['-----BEGIN']],
    'bytes after it': [
      /a certificate/,
      () => [Buffer.concat([Buffer.from(leaf(), 'base64'), Buffer.alloc(3)]).toString('base64')],
    ],
    'another authority of the same name': [
      /no authority/,
      () => [leaf({ subject: 'root', issuerKey: keys.stranger })],
    ],
    'no authority at all': [/no authority/, () => [leaf()], () => bundle()],
    'an intermediate that is left out': [/no authority/, () => [leaf(MIDDLE)]],
    'intermediates in the wrong order': [/no authority/, () => [leaf(LOWER), middle(), lower()]],
    'an intermediate that is no authority': [
      /no authority|issuer is/,
      () => [leaf(MIDDLE), middle([basicConstraints(false), signs])],
    ],
    'an intermediate without basic constraints': [/issuer is/, () => [leaf(MIDDLE), middle([signs])]],
    'an intermediate that may not sign': [
      /no authority|issuer is/,
      () => [leaf(MIDDLE), middle([basicConstraints(true), keyUsage(['digitalSignature'])])],
    ],
    'an intermediate without key usage': [
      /issuer is/,
      () => [leaf(MIDDLE), middle([basicConstraints(true)])],
    ],
    'a leaf that signed another one': [
      /no authority|issuer is/,
      () => [
        certificate(
          { subject: 'mallory', publicKey: keys.stranger, extensions: LEAF },
          { subject: 'leaf', issuerKey: keys.leaf },
        ),
        leaf(),
      ],
    ],
    'a path that is too long': [
      /longer than an authority allows/,
      () => [leaf(MIDDLE), middle()],
      () => bundle(root([basicConstraints(true, 0), signs])),
    ],
    'an intermediate’s path that is too long': [
      /longer than/,
      () => [leaf(LOWER), lower(), middle([basicConstraints(true, 0), signs])],
    ],
    'names outside those permitted': [
      /name constraints/,
      () => [leaf()],
      () => bundle(root([basicConstraints(true), signs, constraints(['other.example'])])),
    ],
    'a name below the one permitted host': [
      /name constraints/,
      () => [leaf()],
      () => bundle(root([basicConstraints(true), signs, constraints(['example'])])),
    ],
    'the host above those permitted': [
      /name constraints/,
      () => [leaf()],
      () => bundle(root([basicConstraints(true), signs, constraints(['.prod.example'])])),
    ],
    'names that are excluded': [
      /name constraints/,
      () => [leaf()],
      () => bundle(root([basicConstraints(true), signs, constraints([], ['.example'])])),
    ],
    'constraints of an intermediate': [
      /name constraints/,
      () => [leaf(MIDDLE), middle([basicConstraints(true), signs, constraints(['x.example'])])],
    ],
    'names of a kind whose constraints are not understood': [
      /name constraints/,
      () => [leafWith(names({ uris: [WEB], hosts: ['evil.example'] }))],
      () => bundle(root([basicConstraints(true), signs, constraints([PROD], [], ['good.example'])])),
    ],
    'an authority with the name of a workload': [
      /no trust domain/,
      () => [leaf()],
      () => bundle(root([basicConstraints(true), signs, names({ uris: [WEB] })])),
    ],
    'a leaf that is an authority': [/the leaf is an authority/, () => [leafWith(basicConstraints(true))]],
    'the authority itself': [/the leaf is an authority/, () => [root()]],
    'a leaf that may sign certificates': [
      /may sign certificates/,
      () => [leafWith(keyUsage(['digitalSignature', 'keyCertSign']))],
    ],
    'a leaf that may sign revocations': [
      /may sign certificates/,
      () => [leafWith(keyUsage(['digitalSignature', 'cRLSign']))],
    ],
    'a leaf that may not sign': [/may not sign/, () => [leafWith(keyUsage([]))]],
    'a leaf without key usage': [/critical key usage/, () => [leafWithout('2.5.29.15')]],
    'a key usage that is not critical': [
      /critical key usage/,
      () => [leafWith(keyUsage(['digitalSignature'], false))],
    ],
    'a leaf for servers alone': [/both ends/, () => [leafWith(extendedKeyUsage(['1.3.6.1.5.5.7.3.1']))]],
    'no names': [/exactly one URI/, () => [leafWithout('2.5.29.17')]],
    'two URI names': [/exactly one URI/, () => [leafWith(names({ uris: [WEB, `spiffe://${PROD}/admin`] }))]],
    'one URI name twice': [/exactly one URI/, () => [leafWith(names({ uris: [WEB, WEB] }))]],
    'a name of another scheme': [/no SPIFFE ID/, () => [leafWith(names({ uris: [`https://${PROD}/web`] }))]],
    'the name of a trust domain': [/no SPIFFE ID/, () => [leafWith(names({ uris: [`spiffe://${PROD}`] }))]],
    'the trust domain in another case': [
      /no SPIFFE ID/,
      () => [leafWith(names({ uris: ['spiffe://PROD.example/web'] }))],
    ],
    'a trailing dot': [/no SPIFFE ID/, () => [leafWith(names({ uris: ['spiffe://prod.example./web'] }))]],
    'a port': [/no SPIFFE ID/, () => [leafWith(names({ uris: ['spiffe://prod.example:1/web'] }))]],
    'a user': [/no SPIFFE ID/, () => [leafWith(names({ uris: ['spiffe://prod.example@evil/web'] }))]],
    'percent-encoding': [/no SPIFFE ID/, () => [leafWith(names({ uris: ['spiffe://prod.example/%77eb'] }))]],
    'a query': [/no SPIFFE ID/, () => [leafWith(names({ uris: [`${WEB}?x`] }))]],
    'a name with a second one in it': [
      /readers disagree|no SPIFFE ID/,
      () => [leafWith(names({ uris: [`${WEB}, URI:spiffe://x/y`] }))],
    ],
    'a name with a NUL': [
      /readers disagree|no SPIFFE ID/,
      () => [leafWith(names({ uris: [`${WEB}\0.evil`] }))],
    ],
    'another trust domain': [
      /another trust domain/,
      () => [leafWith(names({ uris: ['spiffe://dev.example/web'] }))],
    ],
    'a critical extension that is not understood': [
      /not understood/,
      () => [leafWith({ ...basicConstraints(false), id: '1.2.3.4' })],
    ],
    'an extension twice': [/twice/, () => [leaf(ROOT, [...LEAF, names({ uris: [WEB] })])]],
    'an empty subject with names that are not critical': [
      /no subject/,
      () => [
        buildCertificate({
          ...{ issuer: 'root', publicKey: keys.leaf, issuerKey: keys.root, extensions: LEAF },
          ...{ notBeforeSeconds: NOW - 60, notAfterSeconds: NOW + 60 },
        }).toString('base64'),
      ],
    ],
    'a leaf that has expired': [/expired/, () => [leaf()], undefined, NOW + 3601],
    'a leaf that is not valid yet': [/not valid yet/, () => [leaf()], undefined, NOW - 61],
    'an authority that has expired': [
      /expired/,
      () => [leaf()],
      () => bundle(root(undefined, { notAfterSeconds: NOW - 1 })),
    ],
    'an intermediate that has expired': [
      /expired/,
      () => [leaf(MIDDLE), middle(undefined, { notAfterSeconds: NOW - 1 })],
    ],
    'a key on a weak curve': [/too weak/, () => [leaf(ROOT, LEAF, { publicKey: newKey('secp224r1') })]],
  };

test.each(Object.entries(cases))(
  '%s proves nothing',
  (_name, [reason, chain, by = () => plain, at = NOW]) => {
    expect(verify(chain(), by(), at)).toMatch(reason);
  },
);

test('no bit of a certificate can be changed', () => {
  const der = Buffer.from(leaf(), 'base64');
  for (let at = 0; at < der.byteLength; at += 3) {
    const changed = Buffer.from(der);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    expect(typeof verify([changed.toString('base64')]), `byte ${at}`).toBe('string');
  }
});
