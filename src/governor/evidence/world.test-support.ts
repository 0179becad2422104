import { must, nowSeconds, READ, TestDomain, WRITE } from '../../../test/support/trust-domain.ts';
import { readKeyFile } from '../../key/index.ts';
import { type NoteVerifier, noteVerifier } from '../../tlog/index.ts';
import { revoke } from '../index.ts';

/**
 * root (log fs) → child (log web) → grandchild (fs), a denied child of the root, an unrelated execution, and a revocation
 * before all of them that concerns none.
 */
export interface World {
  readonly domain: TestDomain;
  readonly fs: NoteVerifier;
  readonly ids: Readonly<Record<'root' | 'child' | 'grandchild' | 'denied' | 'revoked' | 'other', string>>;
}

export async function makeWorld(): Promise<World> {
  const domain = await TestDomain.create(
    'permit (principal, action, resource) unless { context.input.path == "/no" };',
  );
  const { home } = domain;
  const chain = [domain.issue({ audiences: [home.audience('fs'), home.audience('web')] })];
  const fs = await domain.open();
  const web = await domain.open({ name: 'web' });
  const run = async (
    at: typeof fs,
    options: { parent?: string; path?: string; chain?: readonly string[]; tool?: string } = {},
  ) => {
    const { parent, path = '/a', tool = WRITE } = options;
    const action = domain.call(options.chain ?? chain, {
      audience: at.audience,
      args: { path },
      tool,
      ...(parent === undefined ? {} : { parent }),
    });
    const { executionId } = await at.governor.run(action, async () => ({
      status: 'succeeded',
      value: 1,
      evidence: Buffer.from('result'),
    }));
    await at.governor.settle();
    return executionId;
  };
  const doomed = domain.issue();
  const root = await run(fs);
  const child = await run(web, { parent: root });
  const grandchild = await run(fs, { parent: child, tool: READ });
  const denied = await run(fs, { parent: root, path: '/no' });
  const other = await run(fs);
  const jti = JSON.parse(Buffer.from(doomed.split('.')[1] ?? '', 'base64url').toString()).jti as string;
  await revoke(home, { handle: 'token', value: jti }, { actor: 'test', atSeconds: nowSeconds() });
  const revoked = await run(fs, { chain: [doomed] });
  await fs.close();
  await web.close();
  const key = must(readKeyFile(home.logKeyFile('fs'))).publicKey;
  return {
    domain,
    fs: noteVerifier(home.executionOrigin('fs'), key),
    ids: { root, child, grandchild, denied, revoked, other },
  };
}
