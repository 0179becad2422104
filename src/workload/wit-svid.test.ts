import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { encodeBase64url, type JsonObject, sha256Base64url } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { DevelopmentIssuer, publicJwk } from './development/issuer.ts';
import { parseTrustBundle, type TrustBundles, trustBundleOf } from './trust-bundle.ts';
import { verifyWorkload } from './verify-workload.ts';
import { createWorkloadProof, signEs256 } from './workload-proof.ts';

const NOW = 1_767_787_200;
const PROD = 'prod.example';
const WEB = `spiffe://${PROD}/web`;
const AUDIENCE = 'spiffe://local/gateway/fs';
const POP = 'header.payload.signature';
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const [signer, holder, stranger] = [newKey(), newKey(), newKey()];
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

function bundleOf(trustDomain: string, key: KeyObject) {
  const bundle = trustBundleOf(trustDomain, {
    keys: [
      { use: 'wit-svid', kid: 'k1', ...publicJwk(key) },
      { use: 'jwt-svid', kid: 'k2', kty: 'oct' },
    ],
  });
  if (isDenial(bundle)) throw new Error(bundle.detail);
  return bundle;
}
const bundles: TrustBundles = new Map([
  [PROD, bundleOf(PROD, signer)],
  ['dev.example', bundleOf('dev.example', stranger)],
]);

const HEADER = { alg: 'ES256', kid: 'k1', typ: 'wit+jwt' };
const CNF = { jwk: { ...publicJwk(holder), alg: 'ES256' } };
const CLAIMS = { sub: WEB, exp: NOW + 600, nbf: NOW - 60, cnf: CNF };
const wit = (claims: JsonObject = {}, header: JsonObject = {}, key = signer) =>
  signEs256({ ...HEADER, ...header }, { ...CLAIMS, ...claims }, key);
const without = (name: keyof typeof CLAIMS) => {
  const { [name]: _gone, ...rest } = CLAIMS;
  return signEs256(HEADER, rest, signer);
};
const proof = (token: string, change: Partial<Parameters<typeof createWorkloadProof>[0]> = {}) =>
  createWorkloadProof({
    ...{ wit: token, privateKey: holder, audience: AUDIENCE, pop: POP, nowSeconds: NOW },
    ...change,
  });
const wpt = (token: string, claims: JsonObject = {}, header: JsonObject = {}, key = holder) =>
  signEs256(
    { alg: 'ES256', typ: 'wpt+jwt', ...header },
    {
      ...{ aud: AUDIENCE, exp: NOW + 60, jti: 'j1', wth: sha256Base64url(token) },
      ...{ oth: { aat_pop: sha256Base64url(POP) }, ...claims },
    },
    key,
  );

function verify(token: string, proven = proof(token), at = NOW, by = bundles) {
  const workload = verifyWorkload(
    { kind: 'wit-svid', wit: token, wpt: proven },
    { bundles: by, audience: AUDIENCE, pop: POP, nowSeconds: at },
  );
  return isDenial(workload) ? `${workload.code} ${workload.detail}` : workload.id;
}

/** A token by another algorithm than its issuer's, signed with what an attacker knows. */
function unsigned(alg: string, signature: (input: string) => Buffer): string {
  const input = [{ ...HEADER, alg }, CLAIMS]
    .map((part) => encodeBase64url(Buffer.from(JSON.stringify(part))))
    .join('.');
  return `${input}.${encodeBase64url(signature(input))}`;
}

describe('a WIT-SVID with its proof', () => {
  test('proves its subject, by whichever library they were signed', async () => {
    expect(verify(wit())).toBe(WEB);
    const key = { ...(await exportJWK(holder)), alg: 'ES256' };
    const { d: _d, ...jwk } = key;
    const token = await new SignJWT({ cnf: { jwk } })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'wit+jwt' })
      .setSubject(WEB)
      .setIssuedAt(NOW)
      .setExpirationTime(NOW + 600)
      .setIssuer('https://spire.example')
      .sign(signer);
    const proven = await new SignJWT({ wth: sha256Base64url(token), oth: { aat_pop: sha256Base64url(POP) } })
      .setProtectedHeader({ alg: 'ES256', typ: 'wpt+jwt' })
      .setAudience(AUDIENCE)
      .setExpirationTime(NOW + 60)
      .setJti('j')
      .sign(holder);
    expect(verify(token, proven)).toBe(WEB);
  });

  test('is for one call, at one place, in its time', () => {
    const token = wit();
    expect(verify(token, proof(token, { audience: 'spiffe://local/gateway/mail' }))).toMatch(/aud/);
    expect(verify(token, proof(token, { pop: 'another.proof.altogether' }))).toMatch(/oth/);
    expect(verify(token, proof(wit({ exp: NOW + 601 })))).toMatch(/wth/);
    expect(verify(token, proof(token), NOW + 60)).toMatch(/expired/);
    expect(verify(token, proof(token, { lifetimeSeconds: 301 }))).toMatch(/too long/);
    expect(verify(token, proof(token, { privateKey: stranger }))).toMatch(/the key that the WIT confirms/);
  });
});

const tokens: Readonly<Record<string, [RegExp, () => string]>> = {
  nothing: [/no trust domain/, () => ''],
  'alg none': [/no trust domain/, () => unsigned('none', () => Buffer.alloc(0))],
  'alg None': [/no trust domain/, () => unsigned('None', () => Buffer.alloc(0))],
  'HS256 with the public key': [
    /no trust domain/,
    () =>
      unsigned('HS256', (input) =>
        createHmac('sha256', signer.export({ type: 'sec1', format: 'der' }))
          .update(input)
          .digest(),
      ),
  ],
  RS256: [
    /no trust domain/,
    () => unsigned('RS256', (input) => sign('sha256', Buffer.from(input), rsa.privateKey)),
  ],
  'ES384 in the header': [/no trust domain/, () => wit({}, { alg: 'ES384' })],
  'another typ': [/no trust domain/, () => wit({}, { typ: 'JWT' })],
  'critical parameters': [/no trust domain/, () => wit({}, { crit: ['b64'], b64: false })],
  'no kid': [/kid/, () => signEs256({ alg: 'ES256', typ: 'wit+jwt' }, CLAIMS, signer)],
  'an unknown kid': [/kid/, () => wit({}, { kid: 'k9' })],
  'the kid of another use': [/kid/, () => wit({}, { kid: 'k2' })],
  'a key in its header': [/signature/, () => wit({}, { jwk: publicJwk(stranger) }, stranger)],
  'a stranger’s signature': [/signature/, () => wit({}, {}, stranger)],
  'a signature in DER': [
    /signature/,
    () => {
      const [head, body] = wit().split('.');
      return `${head}.${body}.${encodeBase64url(sign('sha256', Buffer.from(`${head}.${body}`), signer))}`;
    },
  ],
  'zeros for a signature': [
    /signature/,
    () => `${wit().split('.').slice(0, 2).join('.')}.${encodeBase64url(Buffer.alloc(64))}`,
  ],
  'no signature': [/signature/, () => `${wit().split('.').slice(0, 2).join('.')}.`],
  'a fourth part': [/no trust domain/, () => `${wit()}.e30`],
  padding: [/no trust domain/, () => `${wit()}=`],
  'a member twice': [
    /no trust domain/,
    () => {
      const [head, , tail] = wit().split('.');
      const body = `{"sub":"${WEB}","sub":"spiffe://${PROD}/admin","exp":${NOW + 600}}`;
      return `${head}.${encodeBase64url(Buffer.from(body))}.${tail}`;
    },
  ],
  expired: [/expired/, () => wit({ exp: NOW })],
  'not valid yet': [/not valid yet/, () => wit({ nbf: NOW + 1 })],
  'no exp': [/exp/, () => without('exp')],
  'exp as a text': [/exp/, () => wit({ exp: String(NOW + 600) })],
  'no sub': [/no trust domain/, () => without('sub')],
  'a list of subs': [/no trust domain/, () => wit({ sub: [WEB] })],
  'no cnf': [/cnf/, () => without('cnf')],
  'two ways to confirm': [/cnf/, () => wit({ cnf: { ...CNF, kid: 'x' } })],
  'no alg in cnf': [/cnf/, () => wit({ cnf: { jwk: publicJwk(holder) } })],
  'a symmetric key in cnf': [/cnf/, () => wit({ cnf: { jwk: { kty: 'oct', k: 'AAAA', alg: 'HS256' } } })],
  'a private key in cnf': [/private/, () => wit({ cnf: { jwk: { ...CNF.jwk, d: 'AAAA' } } })],
  'a key off the curve': [/no point/, () => wit({ cnf: { jwk: { ...CNF.jwk, x: CNF.jwk.y } } })],
  'a subject of another trust domain': [/signature/, () => wit({ sub: 'spiffe://dev.example/web' })],
  'a trust domain that is not known': [
    /no trust domain/,
    () => wit({ sub: 'spiffe://prod.example.evil/web' }),
  ],
  'the name of a trust domain': [/no trust domain/, () => wit({ sub: `spiffe://${PROD}` })],
  'a wimse name': [/no trust domain/, () => wit({ sub: `wimse://${PROD}/web` })],
  'the trust domain in another case': [/no trust domain/, () => wit({ sub: 'spiffe://Prod.example/web' })],
  'a trailing dot': [/no trust domain/, () => wit({ sub: 'spiffe://prod.example./web' })],
  'far too long': [/no trust domain/, () => wit({ more: 'x'.repeat(20_000) })],
};

test.each(Object.entries(tokens))('%s: the token proves nothing', (_name, [reason, token]) => {
  const text = token();
  expect(verify(text, proof(text))).toMatch(/^identity\.mismatch /);
  expect(verify(text, proof(text))).toMatch(reason);
});

const proofs: Readonly<Record<string, [RegExp, (token: string) => string]>> = {
  none: [/not a compact/, () => ''],
  'the token itself': [/typ/, (token) => token],
  'alg none': [
    /alg/,
    (token) => {
      const [, body] = wpt(token).split('.');
      return `${encodeBase64url(Buffer.from('{"alg":"none","typ":"wpt+jwt"}'))}.${body}.`;
    },
  ],
  'another typ': [/typ/, (token) => wpt(token, {}, { typ: 'dpop+jwt' })],
  'the issuer’s signature': [/the key that the WIT confirms/, (token) => wpt(token, {}, {}, signer)],
  'a list of audiences': [/aud/, (token) => wpt(token, { aud: [AUDIENCE] })],
  'no jti': [/jti/, (token) => wpt(token, { jti: '' })],
  'no exp': [/exp/, (token) => wpt(token, { exp: null })],
  'not valid yet': [/not valid yet/, (token) => wpt(token, { nbf: NOW + 5 })],
  'another token beside': [
    /oth/,
    (token) => wpt(token, { oth: { aat_pop: sha256Base64url(POP), more: 'x' } }),
  ],
  'nothing of the call': [/oth/, (token) => wpt(token, { oth: {} })],
  'no oth': [/oth/, (token) => wpt(token, { oth: null })],
  'a transaction token': [/tth/, (token) => wpt(token, { tth: 'x' })],
};

test.each(Object.entries(proofs))('%s: the proof proves nothing', (_name, [reason, make]) => {
  const token = wit();
  expect(verify(token, wpt(token))).toBe(WEB);
  expect(verify(token, make(token))).toMatch(reason);
});

test('no character of token or proof can be changed', () => {
  const token = wit();
  const proven = proof(token);
  for (let at = 0; at < token.length; at += 7) {
    const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
    expect(verify(changed, proof(changed)), `token ${at}`).toMatch(/^identity\.mismatch/);
  }
  for (let at = 0; at < proven.length; at += 7) {
    const changed = `${proven.slice(0, at)}${proven[at] === 'A' ? 'B' : 'A'}${proven.slice(at + 1)}`;
    expect(verify(token, changed), `proof ${at}`).toMatch(/^identity\.mismatch/);
  }
});

describe('a trust bundle', () => {
  const refusal = (json: unknown, trustDomain = PROD) => {
    const parsed = parseTrustBundle(trustDomain, typeof json === 'string' ? json : JSON.stringify(json));
    return isDenial(parsed) ? parsed.detail : 'taken';
  };
  const key = { use: 'wit-svid', kid: 'k1', ...publicJwk(signer) };

  test('passes over keys of other uses, and entries without a certificate', () => {
    expect(refusal({ keys: [key, { use: 'sig' }, { kty: 'RSA' }, { use: 'x509-svid', kty: 'EC' }] })).toBe(
      'taken',
    );
    const issuer = DevelopmentIssuer.create(PROD, { nowSeconds: NOW, ttlSeconds: 60 });
    expect(refusal(issuer.bundle())).toBe('taken');
  });

  test.each([
    ['no JSON', '{', /not JSON/],
    ['a member twice', '{"keys":[],"keys":[]}', /duplicate/],
    ['no keys', {}, /keys/],
    ['two keys of one kid', { keys: [key, key] }, /one kid/],
    ['a key without a kid', { keys: [{ ...key, kid: undefined }] }, /no kid/],
    ['a private key', { keys: [{ ...key, d: 'AAAA' }] }, /private/],
    ['a sequence that is none', { keys: [], spiffe_sequence: -1 }, /sequence/],
    ['a certificate that is none', { keys: [{ use: 'x509-svid', x5c: ['AAAA'] }] }, /certificate/],
    ['too many keys', { keys: Array.from({ length: 129 }, () => ({ use: 'other' })) }, /at most/],
  ])('%s: refused', (_name, json, reason) => {
    expect(refusal(json)).toMatch(reason);
  });

  test('is of a trust domain whose name has one spelling', () => {
    for (const name of [
      'Prod.example',
      'prod.example.',
      'spiffe://prod.example',
      'a/b',
      '',
      'prod example',
    ]) {
      expect(refusal({ keys: [key] }, name), name).toMatch(/no name/);
    }
  });
});
