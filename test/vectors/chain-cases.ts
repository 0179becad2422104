import { createHmac } from 'node:crypto';
import { type CaseList, capability, ISSUER, KEYS, NARROWED, NOW, READ } from './case-list.ts';
import type { Made } from './token-maker.ts';

const IDENTITY_POINT = 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

/** Steps 1 to 5 and 6a of AAT-02 §8. */
export function addChainCases(list: CaseList): void {
  addSizeCases(list);
  addRootHeaderCases(list);
  addRootClaimCases(list);
  addChildCases(list);
  addLinkCases(list);
}

function addSizeCases(list: CaseList): void {
  const { maker } = list;
  const root = maker.root();
  list.add('1', '1 no chain', 'artifact.missing', [root], { presentation: (_, aat_pop) => ({ aat_pop }) });
  list.add('1', '1 empty chain', 'artifact.missing', [root], {
    presentation: (_, aat_pop) => ({ aat_chain: [], aat_pop }),
  });
  list.add('1', '1 chain is one string', 'artifact.malformed', [root], {
    presentation: ([token = ''], aat_pop) => ({ aat_chain: token, aat_pop }),
  });
  list.add('1', '1 chain holds a number', 'artifact.malformed', [root], {
    presentation: ([token = ''], aat_pop) => ({ aat_chain: [token, 1], aat_pop }),
  });
  list.add('1', '1 presentation is an array', 'artifact.malformed', [root], {
    presentation: (chain, aat_pop) => [...chain, aat_pop],
  });
  list.add('1', '1 members that are not known are ignored', 'permit', [root], {
    presentation: (aat_chain, aat_pop) => ({ aat_chain, aat_pop, other: true }),
  });
  const limits = { maxTokenBytes: 900, maxChainBytes: 1500 };
  list.add('2a', '2a token over the limit', 'artifact.malformed', [maker.root({ pad: 'x'.repeat(400) })], {
    limits,
  });
  list.add('2a', '2a token within the limit', 'permit', [maker.root()], { limits });
  const pair = withChild(list);
  list.add('2b', '2b chain within the limit', 'permit', pair, { limits });
  const third = maker.child(pair[1], { authorization_details: [capability(NARROWED)] });
  list.add('2b', '2b chain over the limit', 'artifact.malformed', [...pair, third], { limits });
  list.root('2c', '2c no jti', 'artifact.malformed', { jti: undefined });
  list.root('2c', '2c jti is a number', 'artifact.malformed', { jti: 7 });
  const twice = maker.root();
  const same = maker.child(twice, { jti: twice.claims.jti });
  list.add('2c', '2c the same jti twice', 'artifact.malformed', [twice, same]);
  list.root(
    '2c',
    '2c jti behind an escaped name and whitespace',
    'permit',
    {},
    {
      payload: (text) => text.replace('"jti":', '"\\u006ati" :\n\t'),
    },
  );
  list.root('2c', '2c jti only inside another object', 'artifact.malformed', {
    jti: undefined,
    x: { jti: 'a' },
  });
  for (const [name, compact] of [
    ['two segments', (text: string) => text.slice(0, text.lastIndexOf('.'))],
    ['four segments', (text: string) => `${text}.e30`],
    ['padding', (text: string) => `${text}==`],
    ['a trailing line feed', (text: string) => `${text}\n`],
    ['signature with unused bits set', nonCanonical],
    ['no header', (text: string) => text.slice(text.indexOf('.'))],
    ['nothing', () => ''],
  ] as const) {
    list.root('2c', `2c not canonical: ${name}`, 'artifact.malformed', {}, { compact });
  }
}

/** The same bytes in a second spelling: 64 bytes leave four unused bits in the last character. */
export function nonCanonical(compact: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return compact.slice(0, -1) + alphabet.charAt(alphabet.indexOf(compact.slice(-1)) + 1);
}

function withChild(list: CaseList): [Made, Made] {
  const root = list.maker.root();
  return [root, list.maker.child(root)];
}

function addRootHeaderCases(list: CaseList): void {
  list.root('8', '8 plain root', 'permit', {});
  for (const alg of ['none', 'EdDSA', 'HS256', 'ES256', 'ed25519']) {
    list.root('3a', `3a alg ${alg}`, 'artifact.signature_invalid', {}, { header: { alg } });
  }
  list.root('3a', '3a alg absent', 'artifact.signature_invalid', {}, { header: { alg: undefined } });
  list.root(
    '3a',
    '3a alg none without signature',
    'artifact.signature_invalid',
    {},
    {
      header: { alg: 'none' },
      compact: (text) => text.slice(0, text.lastIndexOf('.') + 1),
    },
  );
  list.root(
    '3a',
    '3a HS256 keyed with the public key',
    'artifact.signature_invalid',
    {},
    {
      header: { alg: 'HS256' },
      compact: (text) => {
        const input = text.slice(0, text.lastIndexOf('.'));
        return `${input}.${createHmac('sha256', KEYS.issuer.publicKey.bytes).update(input).digest('base64url')}`;
      },
    },
  );
  for (const typ of ['JWT', 'aat-pop+jwt', 'application/aat+jwt', 'AAT+JWT']) {
    list.root('3a', `3a typ ${typ}`, 'artifact.malformed', {}, { header: { typ } });
  }
  list.root('3a', '3a typ absent', 'artifact.malformed', {}, { header: { typ: undefined } });
  list.root('3a', '3a crit', 'artifact.malformed', {}, { header: { crit: ['exp'], exp: 1 } });
  list.root('3a', '3a crit empty', 'artifact.malformed', {}, { header: { crit: [] } });
  list.root('3a', '3a b64 without crit is ignored', 'permit', {}, { header: { b64: false } });
  list.root(
    '3a',
    '3a header parameters that are not known are ignored',
    'permit',
    {},
    {
      header: { cty: 'x', 'https://example.com/h': [1] },
    },
  );
  const stranger = { ...KEYS.stranger.publicKey.jwk };
  for (const [name, header] of [
    ['jwk', { jwk: stranger }],
    ['jku', { jku: 'https://attacker.example/keys' }],
    ['x5c', { x5c: ['AA'] }],
    ['x5u', { x5u: 'https://attacker.example/x5u' }],
    ['kid', { kid: KEYS.stranger.publicKey.thumbprint }],
  ] as const) {
    list.root(
      '3b',
      `3b ${name} brings no key`,
      'artifact.signature_invalid',
      {},
      { header, signer: KEYS.stranger },
    );
    list.root('3b', `3b ${name} is ignored`, 'permit', {}, { header });
  }
  const anchors = [KEYS.otherIssuer, KEYS.issuer].map(({ publicKey }) => ({
    iss: ISSUER,
    jwk: { ...publicKey.jwk },
  }));
  list.root('3b', '3b second key of the issuer', 'permit', {}, {}, { anchors });
  list.root(
    '3b',
    '3b kid selects an anchor',
    'permit',
    {},
    { header: { kid: KEYS.issuer.publicKey.thumbprint } },
    { anchors },
  );
  list.root(
    '3b',
    '3b kid selects the wrong anchor',
    'artifact.signature_invalid',
    {},
    {
      header: { kid: KEYS.otherIssuer.publicKey.thumbprint },
    },
    { anchors },
  );
  list.root('3b', '3b signed by another key', 'artifact.signature_invalid', {}, { signer: KEYS.stranger });
  list.root(
    '3b',
    '3b no anchor of that issuer',
    'artifact.untrusted_issuer',
    { iss: 'https://other.example' },
    { signer: KEYS.stranger },
  );
  list.root('3b', '3b no anchor at all', 'artifact.untrusted_issuer', {}, {}, { anchors: [] });
  list.root(
    '3b',
    '3b signature of zero bytes',
    'artifact.signature_invalid',
    {},
    {
      compact: (text) => text.slice(0, text.lastIndexOf('.') + 1),
    },
  );
  list.root('3b', '3b payload is not JSON', 'artifact.malformed', {}, { payload: (text) => `${text}x` });
  list.root(
    '3b',
    '3b duplicate claim',
    'artifact.malformed',
    {},
    {
      payload: (text) => text.replace('"del_depth":0', '"del_depth":0,"del_depth":0'),
    },
  );
  list.root(
    '3b',
    '3b duplicate claim by escape',
    'artifact.malformed',
    {},
    {
      payload: (text) => text.replace('"del_depth":0', '"del_depth":0,"del\\u005fdepth":0'),
    },
  );
  list.root(
    '3b',
    '3b duplicate tool',
    'artifact.malformed',
    {},
    {
      payload: (text) => text.replace(`"${READ}":`, `"${READ}":{},"${READ}":`),
    },
  );
  list.root(
    '3b',
    '3b lone surrogate',
    'artifact.malformed',
    {},
    {
      payload: (text) => text.replace('/data/a', '\\ud800'),
    },
  );
}

function addRootClaimCases(list: CaseList): void {
  for (const name of ['iat', 'exp'] as const) {
    list.root('3b', `3b ${name} absent`, 'artifact.malformed', { [name]: undefined });
    list.root('3b', `3b ${name} is text`, 'artifact.malformed', { [name]: String(NOW) });
    list.root('3b', `3b ${name} has a fraction`, 'artifact.malformed', { [name]: NOW + 0.5 });
  }
  const written = (from: string, to: string) => ({ payload: (text: string) => text.replace(from, to) });
  list.root(
    '3b',
    '3b exp written with a fraction',
    'artifact.malformed',
    {},
    written('"exp":1767286500', '"exp":1767286500.0'),
  );
  list.root(
    '3b',
    '3b exp written with an exponent',
    'artifact.malformed',
    {},
    written('"exp":1767286500', '"exp":17672865e2'),
  );
  list.root(
    '3b',
    '3b iat written with a fraction',
    'artifact.malformed',
    {},
    written('"iat":1767282900', '"iat":1767282900.0'),
  );
  list.root(
    '3b',
    '3b del_depth written with an exponent',
    'artifact.malformed',
    {},
    written('"del_depth":0', '"del_depth":0e0'),
  );
  list.root(
    '3b',
    '3b del_max_depth written with a fraction',
    'artifact.malformed',
    {},
    written('"del_max_depth":3', '"del_max_depth":3.0'),
  );
  list.root('3c', '3c del_depth absent', 'artifact.malformed', { del_depth: undefined });
  list.root('3c', '3c del_depth 1', 'artifact.malformed', { del_depth: 1 });
  list.root('3c', '3c del_depth is text', 'artifact.malformed', { del_depth: '0' });
  list.root('3d', '3d par_hash present', 'artifact.malformed', { par_hash: 'A'.repeat(43) });
  list.root('3d', '3d par_hash null', 'artifact.malformed', { par_hash: null });
  list.root('3e', '3e expired', 'artifact.expired', { exp: NOW - 1 });
  list.root('3e', '3e expires now', 'artifact.expired', { exp: NOW });
  list.root('3e', '3e expires in a second', 'permit', { exp: NOW + 1 });
  list.root('3f', '3f iat beyond the skew', 'artifact.not_yet_valid', { iat: NOW + 31 });
  list.root('3f', '3f iat at the skew', 'permit', { iat: NOW + 30 });
  list.root('3g', '3g exp equals iat', 'artifact.malformed', { iat: NOW + 20, exp: NOW + 20 });
  list.root('3g', '3g exp before iat', 'artifact.malformed', { iat: NOW + 20, exp: NOW + 10 });
  list.root('3h', '3h lifetime over 90 days', 'artifact.malformed', { iat: NOW, exp: NOW + 7_776_001 });
  list.root('3h', '3h lifetime of 90 days', 'permit', { iat: NOW, exp: NOW + 7_776_000 });
  list.root('3i', '3i del_max_depth absent', 'artifact.malformed', { del_max_depth: undefined });
  list.root('3i', '3i del_max_depth negative', 'artifact.malformed', { del_max_depth: -1 });
  list.root('3i', '3i del_max_depth 9', 'artifact.malformed', { del_max_depth: 9 });
  list.root('3i', '3i del_max_depth 8', 'permit', { del_max_depth: 8 });
  list.root('3i', '3i del_max_depth 0', 'permit', { del_max_depth: 0 });
  list.root('3j', '3j jti empty', 'artifact.malformed', { jti: '' });
  list.root('3j', '3j jti over 256 characters', 'artifact.malformed', { jti: 'j'.repeat(257) });
  list.root('3k', '3k iss absent', 'artifact.malformed', { iss: undefined });
  list.root('3k', '3k iss is not a URI', 'artifact.malformed', { iss: 'issuer' });
  list.root(
    '3k',
    '3k iss of another anchor',
    'artifact.untrusted_issuer',
    { iss: 'https://other.example' },
    {},
    {
      anchors: [
        { iss: ISSUER, jwk: { ...KEYS.issuer.publicKey.jwk } },
        { iss: 'https://other.example', jwk: { ...KEYS.otherIssuer.publicKey.jwk } },
      ],
    },
  );
  list.root('3k', '3k iss with a trailing slash', 'artifact.untrusted_issuer', { iss: `${ISSUER}/` });
  list.root(
    '3k',
    '3k one key for two issuers',
    'permit',
    { iss: 'https://other.example' },
    {},
    {
      anchors: [ISSUER, 'https://other.example'].map((iss) => ({
        iss,
        jwk: { ...KEYS.issuer.publicKey.jwk },
      })),
    },
  );
  const { jwk } = KEYS.agent.publicKey;
  const cnfs = [
    ['absent', undefined],
    ['without jwk', {}],
    ['with a private key', { jwk: { ...jwk, d: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' } }],
    ['with an RSA key', { jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }],
    ['with an X25519 key', { jwk: { ...jwk, crv: 'X25519' } }],
    ['with the identity point', { jwk: { ...jwk, x: IDENTITY_POINT } }],
    ['with 31 bytes', { jwk: { ...jwk, x: jwk.x.slice(0, 42) } }],
    ['with padding', { jwk: { ...jwk, x: `${jwk.x}=` } }],
  ] as const;
  for (const [name, cnf] of cnfs) list.root('3l', `3l cnf ${name}`, 'artifact.malformed', { cnf });
  const entry = capability(NARROWED);
  list.root('3m', '3m authorization_details absent', 'artifact.malformed', {
    authorization_details: undefined,
  });
  list.root('3m', '3m authorization_details empty', 'artifact.malformed', { authorization_details: [] });
  list.root('3m', '3m authorization_details is an object', 'artifact.malformed', {
    authorization_details: entry,
  });
  list.root('3m', '3m only entries of other types', 'artifact.malformed', {
    authorization_details: [{ type: 'x' }],
  });
  list.root('3m', '3m entries of other types are ignored', 'permit', {
    authorization_details: [{ type: 'x', tools: { [READ]: 1 } }, entry],
  });
  list.root('3m', '3m two capability entries', 'artifact.malformed', {
    authorization_details: [entry, entry],
  });
  list.root('3m', '3m tools absent', 'artifact.malformed', {
    authorization_details: [{ type: 'attenuating_agent_token' }],
  });
  list.root('3m', '3m tools is an array', 'artifact.malformed', {
    authorization_details: [{ type: 'attenuating_agent_token', tools: [] }],
  });
  list.root('3m', '3m constraint map is an array', 'artifact.malformed', {
    authorization_details: [{ type: 'attenuating_agent_token', tools: { [READ]: [] } }],
  });
  list.root('3m', '3m claims that are not known are ignored', 'permit', {
    sub: 'someone',
    'https://example.com/c': {},
  });
}

function addChildCases(list: CaseList): void {
  list.child('8', '8 root and child', 'permit', {});
  list.child('4a', '4a alg none', 'artifact.signature_invalid', {}, { header: { alg: 'none' } });
  list.child('4a', '4a alg EdDSA', 'artifact.signature_invalid', {}, { header: { alg: 'EdDSA' } });
  list.child('4a', '4a typ of a proof', 'artifact.malformed', {}, { header: { typ: 'aat-pop+jwt' } });
  list.child('4a', '4a crit', 'artifact.malformed', {}, { header: { crit: ['x'], x: 1 } });
  list.child('4b', '4b signed by a stranger', 'artifact.signature_invalid', {}, { signer: KEYS.stranger });
  list.child('4b', '4b signed by the issuer', 'artifact.signature_invalid', {}, { signer: KEYS.issuer });
  list.child('4b', '4b signed by its own holder', 'artifact.signature_invalid', {}, { signer: KEYS.worker });
  list.child(
    '4b',
    '4b duplicate claim',
    'artifact.malformed',
    {},
    {
      payload: (text) => text.replace('"del_depth":1', '"del_depth":1,"del_depth":1'),
    },
  );
  list.child('4b1', '4b1 jti empty', 'artifact.malformed', { jti: '' });
  list.child('4b2', '4b2 cnf absent', 'artifact.malformed', { cnf: undefined });
  list.child('4b2', '4b2 cnf with a private key', 'artifact.malformed', {
    cnf: { jwk: { ...KEYS.worker.publicKey.jwk, d: 'AA' } },
  });
  list.child('4b2', '4b2 cnf with a point of small order', 'artifact.malformed', {
    cnf: { jwk: { ...KEYS.worker.publicKey.jwk, x: IDENTITY_POINT } },
  });
  list.child('4b3', '4b3 authorization_details absent', 'artifact.malformed', {
    authorization_details: undefined,
  });
  list.child('4b3', '4b3 authorization_details is an object', 'artifact.malformed', {
    authorization_details: {},
  });
  list.child('4b4', '4b4 del_depth absent', 'artifact.malformed', { del_depth: undefined });
  list.child('4b4', '4b4 del_max_depth absent', 'artifact.malformed', { del_max_depth: undefined });
  list.child('4b4', '4b4 del_max_depth negative', 'artifact.malformed', { del_max_depth: -1 });
  list.child(
    '4b4',
    '4b4 del_depth written with a fraction',
    'artifact.malformed',
    {},
    {
      payload: (text) => text.replace('"del_depth":1', '"del_depth":1.0'),
    },
  );
  for (const name of ['iss', 'par_hash', 'iat', 'exp']) {
    list.child('4b5', `4b5 ${name} absent`, 'artifact.malformed', { [name]: undefined });
  }
  list.child(
    '4b5',
    '4b5 exp written with an exponent',
    'artifact.malformed',
    {},
    {
      payload: (text) => text.replace('"exp":1767286200', '"exp":17672862e2'),
    },
  );
  list.child('4c', '4c iss of a stranger', 'artifact.attenuation_invalid', {
    iss: KEYS.stranger.publicKey.thumbprintUri,
  });
  list.child('4c', '4c iss of the issuer', 'artifact.attenuation_invalid', { iss: ISSUER });
  list.child('4d', '4d del_depth skips one', 'artifact.attenuation_invalid', { del_depth: 2 });
  list.child('4d', '4d del_depth stays', 'artifact.attenuation_invalid', { del_depth: 0 });
  list.child('4g', '4g del_max_depth raised', 'artifact.attenuation_invalid', { del_max_depth: 4 });
  list.child('4g', '4g del_max_depth lowered', 'permit', { del_max_depth: 1 });
  list.child('4h', '4h exp after the parent', 'artifact.attenuation_invalid', { exp: NOW + 3301 });
  list.child('4h', '4h exp of the parent', 'permit', { exp: NOW + 3300 });
  list.child('4i', '4i expired', 'artifact.expired', { exp: NOW - 1 });
  list.child('4i', '4i expires now', 'artifact.expired', { exp: NOW });
  list.child('4j', '4j iat before the parent', 'artifact.attenuation_invalid', { iat: NOW - 301 });
  list.child('4j', '4j iat of the parent', 'permit', { iat: NOW - 300 });
  list.child('4k', '4k iat beyond the skew', 'artifact.not_yet_valid', { iat: NOW + 31 });
  list.child('4l', '4l exp before iat', 'artifact.malformed', { iat: NOW + 20, exp: NOW + 10 });
  list.child('4m', '4m del_depth over its own del_max_depth', 'artifact.attenuation_invalid', {
    del_max_depth: 0,
  });
  const entry = capability(NARROWED);
  list.child('4n', '4n two capability entries', 'artifact.malformed', {
    authorization_details: [entry, entry],
  });
  list.child('4n', '4n tools is text', 'artifact.malformed', {
    authorization_details: [{ type: 'attenuating_agent_token', tools: 'all' }],
  });
  list.child('4n', '4n constraint map is text', 'artifact.malformed', {
    authorization_details: [{ type: 'attenuating_agent_token', tools: { [READ]: 'any' } }],
  });
  list.child('4o', '4o constraint of an unknown type', 'artifact.malformed', {
    authorization_details: [capability({ [READ]: { path: { constraint_type: 'regex', pattern: '.*' } } })],
  });
  list.child('4o', '4o empty all', 'artifact.malformed', {
    authorization_details: [capability({ [READ]: { path: { constraint_type: 'all', constraints: [] } } })],
  });
  list.child('4p1', '4p1 tool that the parent lacks', 'artifact.attenuation_invalid', {
    authorization_details: [capability({ ...NARROWED, delete_file: {} })],
  });
  list.child('4p1', '4p1 tool in another case', 'artifact.attenuation_invalid', {
    authorization_details: [capability({ ...NARROWED, Read_File: NARROWED[READ] ?? {} })],
  });
  list.child('6a', '6a leaf without capability entry', 'artifact.malformed', { authorization_details: [] });
  list.child('6a', '6a leaf with entries of other types only', 'artifact.malformed', {
    authorization_details: [{ type: 'x' }],
  });
}

function addLinkCases(list: CaseList): void {
  const { maker } = list;
  const parent = maker.root({ del_max_depth: 0 });
  list.add('4e', '4e derived from a terminal token', 'artifact.attenuation_invalid', [
    parent,
    maker.child(parent, { del_max_depth: 0 }),
  ]);

  const chain = [maker.root({ del_max_depth: 8 })];
  for (let depth = 1; depth <= 9; depth += 1) {
    const last = chain.at(-1);
    if (last !== undefined) chain.push(maker.child(last, { del_max_depth: 8 }));
  }
  list.add('8', '8 chain of depth 8', 'permit', chain.slice(0, 9));
  list.add('4e', '4e chain of depth 9', 'artifact.attenuation_invalid', chain);
  list.add('8', '8 prefix of a chain by its own holder', 'permit', chain.slice(0, 2));
  list.add('4b', '4b chain with a gap', 'artifact.signature_invalid', [
    ...chain.slice(0, 1),
    ...chain.slice(2, 3),
  ]);
  list.add('3b', '3b chain without its root', 'artifact.untrusted_issuer', chain.slice(1, 3));
  list.add('3b', '3b chain in reverse', 'artifact.untrusted_issuer', chain.slice(0, 2).toReversed());

  const one = maker.root();
  const two = maker.root();
  const childOfOne = maker.child(one);
  list.add('4q', '4q child under another parent of the same holder', 'artifact.attenuation_invalid', [
    two,
    childOfOne,
  ]);
  list.child('4q', '4q par_hash of nothing', 'artifact.attenuation_invalid', { par_hash: '' });
  const resigned = maker.root({ jti: one.claims.jti, exp: NOW + 3200 });
  list.add('4q', '4q child under a parent reissued with the same jti', 'artifact.attenuation_invalid', [
    resigned,
    childOfOne,
  ]);

  const empty = maker.child(one, { authorization_details: [] });
  const underEmpty = maker.child(empty, { authorization_details: [capability({})] });
  list.add('6b', '6b empty capability set below an empty one', 'scope.tool_not_granted', [
    one,
    empty,
    underEmpty,
  ]);
  list.add('4p1', '4p1 tool below an empty capability set', 'artifact.attenuation_invalid', [
    one,
    empty,
    maker.child(empty),
  ]);
  const handoff = maker.child(one, {
    authorization_details: one.claims.authorization_details ?? [],
    exp: NOW + 3300,
  });
  list.add('4p', '4p the same authority handed to another key', 'permit', [one, handoff]);
  const bySelf = maker.child(one, {}, { holder: KEYS.agent });
  list.add('4p', '4p a holder narrows its own token', 'permit', [one, bySelf]);
}
