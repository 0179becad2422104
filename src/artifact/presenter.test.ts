import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import { deriveToken, mintRoot, verifyPresentation } from './index.ts';
import { createPresenter } from './presenter.ts';

const issuer = SigningKey.fromSeed(new Uint8Array(32).fill(1));
const agent = SigningKey.fromSeed(new Uint8Array(32).fill(2));
const helper = SigningKey.fromSeed(new Uint8Array(32).fill(3));
const nowSeconds = 1_800_000_000;
const audience = 'spiffe://example.org/gateway/fs';

function rootToken(): string {
  const token = mintRoot({
    issuer: { iss: 'spiffe://example.org/issuer', signer: issuer },
    holder: agent.publicKey,
    tools: { 'mcp://fs/tools/read': {}, 'mcp://fs/tools/write': {} },
    audiences: [audience],
    iatSeconds: nowSeconds,
    expSeconds: nowSeconds + 3600,
    maxDepth: 1,
  });
  if (isDenial(token)) throw new TypeError(token.detail);
  return token;
}

function present(chain: readonly string[], signer: SigningKey) {
  const presenter = createPresenter({ chain, signer, audience, nowSeconds: () => nowSeconds + 0.9 });
  if (isDenial(presenter)) throw new TypeError(presenter.detail);
  return presenter;
}

describe('createPresenter', () => {
  it('signs proofs that verify for exactly the call', () => {
    const presentation = present([rootToken()], agent).present(
      'mcp://fs/tools/read',
      { a: 1 },
      'execution-1',
    );
    const context = {
      anchors: [{ iss: 'spiffe://example.org/issuer', key: issuer.publicKey }],
      nowSeconds,
      audiences: [audience],
      tool: 'mcp://fs/tools/read',
      args: { a: 1 },
      requireAudience: true,
    };
    if (isDenial(presentation)) throw new TypeError(presentation.detail);
    expect(verifyPresentation(presentation, context)).not.toSatisfy(isDenial);
    expect(verifyPresentation(presentation, { ...context, args: { a: 2 } })).toSatisfy(isDenial);
  });

  it('grants what every token of the chain names', () => {
    const root = rootToken();
    expect(present([root], agent).grants('mcp://fs/tools/write')).toBe(true);
    const derived = deriveToken({
      parent: root,
      signer: agent,
      holder: helper.publicKey,
      tools: { 'mcp://fs/tools/read': {} },
      iatSeconds: nowSeconds,
    });
    if (isDenial(derived)) throw new TypeError(derived.detail);
    const presenter = present([root, derived], helper);
    expect(presenter.grants('mcp://fs/tools/read')).toBe(true);
    expect(presenter.grants('mcp://fs/tools/write')).toBe(false);
    expect(presenter.grants('toString')).toBe(false);
  });

  it('refuses an artifact it cannot hold', () => {
    const chain = [rootToken()];
    expect(createPresenter({ chain, signer: helper, audience })).toHaveProperty('code', 'identity.mismatch');
    expect(createPresenter({ chain: [], signer: agent, audience })).toHaveProperty(
      'code',
      'artifact.missing',
    );
    expect(createPresenter({ chain: ['x'], signer: agent, audience })).toHaveProperty(
      'code',
      'artifact.malformed',
    );
  });

  it('shows nothing of the key', () => {
    const seed = Buffer.alloc(32, 2).toString('base64url');
    const presenter = present([rootToken()], agent);
    const shown = inspect(presenter, { depth: 10, showHidden: true }) + JSON.stringify(presenter);
    expect(shown).not.toContain(seed);
    expect(shown).not.toContain('PRIVATE');
  });
});
