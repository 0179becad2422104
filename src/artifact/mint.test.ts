import { describe, expect, it } from 'vitest';
import { GATEWAY, ISSUER, KEYS, NARROWED, NOW, READ, TOOLS } from '../../test/vectors/token-maker.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  createProof,
  type DerivedGrant,
  deriveToken,
  mintRoot,
  newUuidV7,
  type RootGrant,
  readToken,
  verifyPresentation,
} from './index.ts';

const anchors = [{ iss: ISSUER, key: KEYS.issuer.publicKey }];
const args = { path: '/data/a' };

function must(result: string | Denial): string {
  if (isDenial(result)) throw new TypeError(result.detail);
  return result;
}

function root(overrides: Partial<RootGrant> = {}): string | Denial {
  return mintRoot({
    issuer: { iss: ISSUER, signer: KEYS.issuer },
    holder: KEYS.agent.publicKey,
    tools: { [READ]: { path: { constraint_type: 'one_of', values: ['/data/a', '/data/b'] } } },
    iatSeconds: NOW,
    expSeconds: NOW + 3600,
    maxDepth: 2,
    audiences: [GATEWAY],
    ...overrides,
  });
}

function derive(parent: string, overrides: Partial<DerivedGrant> = {}): string | Denial {
  return deriveToken({
    parent,
    signer: KEYS.agent,
    holder: KEYS.worker.publicKey,
    tools: { [READ]: { path: { constraint_type: 'exact', value: '/data/a' } } },
    iatSeconds: NOW,
    ...overrides,
  });
}

function codeOf(result: unknown): string | undefined {
  return isDenial(result)
    ? `${result.code} ${/^step (\w+)/.exec(result.detail)?.[1] ?? ''}`.trim()
    : undefined;
}

describe('mintRoot, deriveToken and createProof', () => {
  it('make what verifies', () => {
    const first = must(root({ nbfSeconds: NOW, writ: { use: { maxUses: 2 } } }));
    const second = must(derive(first));
    const third = must(
      deriveToken({
        parent: [first, second],
        signer: KEYS.worker,
        holder: KEYS.helper.publicKey,
        iatSeconds: NOW - 10,
        expSeconds: NOW + 60,
        audiences: [GATEWAY, 'https://other.example'],
        writ: { governance: { risk: 'low' } },
      }),
    );
    const chain = [first, second, third];
    const aat_pop = createProof({
      leaf: chain,
      signer: KEYS.helper,
      tool: READ,
      args,
      iatSeconds: NOW,
      audience: GATEWAY,
      parent: 'execution-1',
      nonce: 'n',
      jti: 'p-1',
    });
    const result = verifyPresentation(
      { aat_chain: chain, aat_pop },
      {
        anchors,
        audiences: [GATEWAY],
        requireAudience: true,
        requireProofAudience: true,
        acceptsNonce: (nonce) => nonce === 'n',
        tool: READ,
        args,
        nowSeconds: NOW,
      },
    );
    if (isDenial(result)) throw new TypeError(result.detail);
    expect(result.proof).toEqual({ jti: 'p-1', iatSeconds: NOW, audience: GATEWAY, parent: 'execution-1' });
    const { root: verifiedRoot, leaf, tokens } = result.chain;
    expect(verifiedRoot.writ).toEqual({ use: { maxUses: 2 } });
    expect(tokens.map(({ depth }) => depth)).toEqual([0, 1, 2]);
    expect(leaf.maxDepth).toBe(2);
    expect(leaf.iatSeconds).toBe(NOW);
    expect(leaf.toolsJson).toEqual(NARROWED);
    expect(leaf.holder.thumbprint).toBe(KEYS.helper.publicKey.thumbprint);
    expect(Object.isFrozen(leaf) && Object.isFrozen(tokens) && Object.isFrozen(leaf.audiences)).toBe(true);
  });

  it.each<[string, Partial<RootGrant>, string]>([
    ['an issuer that is no URI', { issuer: { iss: 'issuer', signer: KEYS.issuer } }, 'artifact.malformed 3k'],
    ['an end before its start', { expSeconds: NOW }, 'artifact.expired 3e'],
    ['an end before it begins', { nbfSeconds: NOW + 4000 }, 'artifact.expired 3e'],
    ['too long a life', { expSeconds: NOW + 7_776_001 }, 'artifact.malformed 3h'],
    ['too deep a chain', { maxDepth: 9 }, 'artifact.malformed 3i'],
    ['a fractional depth', { maxDepth: 0.5 }, 'artifact.malformed'],
    ['a fractional time', { iatSeconds: NOW - 0.5 }, 'artifact.malformed'],
    ['an unknown constraint', { tools: { t: { x: { constraint_type: 'cel' } } } }, 'artifact.malformed 3n'],
    [
      'counts for two audiences',
      { audiences: ['a:b', 'c:d'], writ: { use: { maxUses: 1 } } },
      'artifact.malformed writ',
    ],
    [
      'a token over the size limit',
      { tools: { t: { x: { constraint_type: 'exact', value: 'x'.repeat(60_000) } } } },
      'artifact.malformed 2a',
    ],
  ])('refuse to mint %s', (_, overrides, code) => {
    expect(codeOf(root(overrides))).toBe(code);
  });

  it('refuse an unknown member of writ, also from code that types do not hold', () => {
    const writ = JSON.parse('{"use":{"maxUse":1}}');
    expect(codeOf(root({ writ }))).toBe('artifact.malformed');
  });

  it.each<[string, Partial<DerivedGrant>, string]>([
    ['another value', { tools: { [READ]: { path: { constraint_type: 'exact', value: '/etc' } } } }, '4p'],
    ['another tool', { tools: { write_file: {} } }, '4p1'],
    ['a later end', { expSeconds: NOW + 3601 }, '4h'],
    ['a deeper chain', { maxDepth: 3 }, '4g'],
    ['a depth under its own', { maxDepth: 0 }, '4m'],
  ])('refuse to derive %s', (_, overrides, step) => {
    expect(codeOf(derive(must(root()), overrides))).toBe(`artifact.attenuation_invalid ${step}`);
  });

  it('refuse to derive from a terminal, malformed or absent parent', () => {
    expect(codeOf(derive(must(root({ maxDepth: 0 }))))).toBe('artifact.attenuation_invalid 4e');
    expect(codeOf(derive('x'))).toBe('artifact.malformed');
    expect(codeOf(derive('', { parent: [] }))).toBe('artifact.missing');
  });

  it('throw for a signer who is not the holder', () => {
    const parent = must(root());
    expect(() => derive(parent, { signer: KEYS.stranger })).toThrow(TypeError);
    const proof = { leaf: parent, tool: READ, args, iatSeconds: NOW };
    expect(() => createProof({ ...proof, signer: KEYS.stranger })).toThrow(TypeError);
    expect(() => createProof({ ...proof, signer: KEYS.agent, iatSeconds: 1.5 })).toThrow(TypeError);
    expect(() => createProof({ ...proof, signer: KEYS.agent, leaf: 'x' })).toThrow(TypeError);
    expect(() => createProof({ ...proof, signer: KEYS.agent, leaf: [] })).toThrow(TypeError);
  });

  it('let a parent token be read without its chain', () => {
    const token = readToken(must(root()));
    if (isDenial(token)) throw new TypeError(token.detail);
    expect(token.iss).toBe(ISSUER);
    expect(token.toolsJson).toEqual(TOOLS);
    for (const text of ['', 'a.b.c', 'x'.repeat(70_000)]) expect(isDenial(readToken(text))).toBe(true);
  });

  it('name tokens and proofs with fresh UUIDv7s', () => {
    const ids = new Set(Array.from({ length: 1000 }, () => newUuidV7(NOW * 1000)));
    expect(ids.size).toBe(1000);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(NOW * 1000);
    }
  });
});
