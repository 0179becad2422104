import { type CaseList, capability, GATEWAY, KEYS, NOW, READ } from './case-list.ts';
import { nonCanonical } from './chain-cases.ts';
import type { Made } from './token-maker.ts';

/** Steps 6b, 6c and 7 of AAT-02 §8: one call under a valid chain. */
export function addCallCases(list: CaseList): void {
  addScopeCases(list);
  addAudienceCases(list);
  addProofCases(list);
}

function addScopeCases(list: CaseList): void {
  const root = list.maker.root();
  list.add('6b', '6b tool that is not granted', 'scope.tool_not_granted', [root], { tool: 'write_file' });
  list.add('6b', '6b tool in another case', 'scope.tool_not_granted', [root], { tool: 'READ_FILE' });
  list.add('6b', '6b tool named like an inherited member', 'scope.tool_not_granted', [root], {
    tool: 'constructor',
  });
  list.child(
    '6b',
    '6b what only the parent grants',
    'scope.arguments_not_granted',
    {},
    {},
    { args: { path: '/data/b' } },
  );
  const wide = { authorization_details: [capability({ t: { x: { constraint_type: 'range', max: 1e20 } } })] };
  const number = (text: string) => ({ tool: 't', args: { x: 9007199254740992 }, argsText: `{"x":${text}}` });
  list.root('6b', '6b argument in another spelling', 'permit', wide, {}, number('9007199254740992.0'));
  list.root(
    '6b',
    '6b argument that a double cannot hold',
    'request.malformed',
    wide,
    {},
    number('9007199254740993'),
  );
  list.root('6b', '6b duplicate argument', 'request.malformed', wide, {}, number('1,"x":9007199254740992'));
  list.root('6b', '6b arguments are an array', 'request.malformed', wide, {}, { tool: 't', argsText: '[]' });
}

function addAudienceCases(list: CaseList): void {
  const mismatch = 'artifact.audience_mismatch';
  list.root('6c', '6c aud names this enforcement point', 'permit', { aud: GATEWAY });
  list.root('6c', '6c one aud of several', 'permit', { aud: ['https://other.example', GATEWAY] });
  list.root('6c', '6c aud names another', mismatch, { aud: 'https://other.example' });
  list.root('6c', '6c aud differs by a slash', mismatch, { aud: `${GATEWAY}/` });
  list.root('6c', '6c aud names nobody', mismatch, { aud: [] });
  list.root('aud', 'aud is a number', 'artifact.malformed', { aud: 1 });
  list.root('aud', 'aud holds null', 'artifact.malformed', { aud: [GATEWAY, null] });
  list.root('6c', '6c aud required and absent', mismatch, {}, {}, { requireAudience: true });
  list.root('6c', '6c aud required and present', 'permit', { aud: GATEWAY }, {}, { requireAudience: true });
  list.child(
    '6c',
    '6c aud required, present in the child alone',
    'permit',
    { aud: GATEWAY },
    {},
    { requireAudience: true },
  );
  list.child('6c', '6c aud of the child names another', mismatch, { aud: 'https://other.example' });
  const elsewhere = list.maker.root({ aud: 'https://other.example' });
  list.add('6c', '6c child cannot replace aud', mismatch, [
    elsewhere,
    list.maker.child(elsewhere, { aud: GATEWAY }),
  ]);
}

function addProofCases(list: CaseList): void {
  const invalid = 'identity.proof_invalid';
  const pair = (): [Made, Made] => {
    const root = list.maker.root();
    return [root, list.maker.child(root)];
  };
  const chain = pair();
  list.add('7', '7 no proof', 'identity.proof_missing', chain, {
    presentation: (aat_chain) => ({ aat_chain }),
  });
  list.add('7', '7 proof is null', invalid, chain, {
    presentation: (aat_chain) => ({ aat_chain, aat_pop: null }),
  });
  list.add('7a', '7a proof is empty', invalid, chain, {
    presentation: (aat_chain) => ({ aat_chain, aat_pop: '' }),
  });
  list.add(
    '3e',
    '3e no proof, but the chain is judged first',
    'artifact.expired',
    [list.maker.root({ exp: NOW - 1 })],
    {
      presentation: (aat_chain) => ({ aat_chain }),
    },
  );
  list.add('7a', '7a proof is the leaf token', invalid, chain, {
    presentation: (aat_chain) => ({ aat_chain, aat_pop: aat_chain[1] ?? '' }),
  });
  for (const [name, header] of [
    ['alg none', { alg: 'none' }],
    ['alg EdDSA', { alg: 'EdDSA' }],
    ['alg absent', { alg: undefined }],
    ['typ of a token', { typ: 'aat+jwt' }],
    ['typ absent', { typ: undefined }],
    ['crit', { crit: ['nonce'], nonce: 'x' }],
  ] as const) {
    list.add('7a', `7a ${name}`, invalid, chain, { proofMaking: { header } });
  }
  list.add('7a', '7a signature with unused bits set', invalid, chain, {
    proofMaking: { compact: nonCanonical },
  });
  list.add('7b', '7b signed by a stranger', invalid, chain, { proofMaking: { signer: KEYS.stranger } });
  list.add('7b', '7b signed by the holder of the parent', invalid, chain, {
    proofMaking: { signer: KEYS.agent },
  });
  list.add('7b', '7b jwk brings no key', invalid, chain, {
    proofMaking: { signer: KEYS.stranger, header: { jwk: { ...KEYS.stranger.publicKey.jwk } } },
  });
  list.add('7b', '7b duplicate claim', invalid, chain, {
    proofMaking: { payload: (text) => text.replace('"aat_tool":', '"aat_tool":"x","aat_tool":') },
  });
  list.add('7b', '7b duplicate argument', invalid, chain, {
    proofMaking: { payload: (text) => text.replace('"path":', '"path":"/x","path":') },
  });
  for (const name of ['jti', 'aat_id', 'aat_hash', 'aat_tool', 'iat', 'hta']) {
    list.add('7c', `7c ${name} absent`, invalid, chain, { proof: { [name]: undefined } });
  }
  list.add('7c', '7c jti empty', invalid, chain, { proof: { jti: '' } });
  list.add('7b', '7b iat written with a fraction', invalid, chain, {
    proofMaking: { payload: (text) => text.replace('"iat":1767283200', '"iat":1767283200.0') },
  });
  list.add('7c', '7c hta is an array', invalid, chain, { proof: { hta: [] } });
  const [root, leaf] = chain;
  list.add('7c', '7c aat_id of the root', invalid, chain, { proof: { aat_id: root.claims.jti } });
  list.add('7c', '7c aat_hash of the root', invalid, chain, { proof: { aat_hash: root.hash } });
  const again = list.maker.child(root, { jti: leaf.claims.jti, exp: NOW + 100 });
  list.add('7c', '7c proof of a leaf with the same jti', invalid, [root, again], {
    proof: { aat_hash: leaf.hash },
  });
  list.add('7d', '7d aat_aud names another', invalid, chain, { proof: { aat_aud: 'https://other.example' } });
  list.add('7d', '7d aat_aud is an array', invalid, chain, { proof: { aat_aud: [GATEWAY] } });
  list.add('7d', '7d aat_aud absent', 'permit', chain, { proof: { aat_aud: undefined } });
  list.add('7d', '7d aat_aud required and absent', invalid, chain, {
    proof: { aat_aud: undefined },
    requireProofAudience: true,
  });
  list.add('7d', '7d aat_aud required and present', 'permit', chain, { requireProofAudience: true });
  list.add('7e', '7e aat_tool of another tool', invalid, chain, { proof: { aat_tool: 'write_file' } });
  list.add('7e', '7e aat_tool differs by Unicode form', invalid, chain, {
    proof: { aat_tool: `${READ}\u0301` },
  });
  list.add('7f', '7f hta of other arguments', invalid, chain, { proof: { hta: { path: '/data/b' } } });
  list.add('7f', '7f hta with one more argument', invalid, chain, {
    proof: { hta: { path: '/data/a', head: 1 } },
  });
  list.add('7f', '7f hta empty', invalid, chain, { proof: { hta: {} } });
  list.add('7f', '7f other arguments are refused before they are evaluated', invalid, chain, {
    args: { path: '/etc/passwd' },
    proof: { hta: { path: '/data/a' } },
  });
  const open = list.maker.root({ authorization_details: [capability({ t: {} })] });
  list.add('7f', '7f hta in another order and spelling', 'permit', [open], {
    tool: 't',
    args: { a: 100, b: 'ä' },
    proofMaking: { payload: (text) => text.replace('{"a":100,"b":"ä"}', '{ "b": "\\u00e4", "a": 1e2 }') },
  });
  list.add('7g', '7g proof 31 s old', 'identity.proof_stale', chain, { proof: { iat: NOW - 31 } });
  list.add('7g', '7g proof 31 s ahead', 'identity.proof_stale', chain, { proof: { iat: NOW + 31 } });
  list.add('7g', '7g proof 30 s old', 'permit', chain, { proof: { iat: NOW - 30 } });
  list.add('7g', '7g proof 30 s ahead', 'permit', chain, { proof: { iat: NOW + 30 } });
  list.add('7h', '7h nonce accepted', 'permit', chain, { nonce: 'n-1', proof: { nonce: 'n-1' } });
  list.add('7h', '7h nonce absent', invalid, chain, { nonce: 'n-1' });
  list.add('7h', '7h nonce of another', invalid, chain, { nonce: 'n-1', proof: { nonce: 'n-2' } });
  list.add('7h', '7h nonce that nobody asked for', 'permit', chain, { proof: { nonce: 'n-1' } });
  list.add('writ', 'writ proof names its parent', 'permit', chain, { proof: { writ: { parent: 'e-1' } } });
  list.add('writ', 'writ proof with an unknown member', invalid, chain, {
    proof: { writ: { parent: 'e-1', x: 1 } },
  });
  list.add('writ', 'writ proof with a parent that is no text', invalid, chain, {
    proof: { writ: { parent: 1 } },
  });
}
