import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, nowSeconds, READ, TestDomain, WRITE } from '../../../test/support/trust-domain.ts';
import { readKeyFile } from '../../key/index.ts';
import type { EvidenceBundle } from '../../receipt/index.ts';
import { type NoteVerifier, noteVerifier } from '../../tlog/index.ts';
import { revoke } from '../index.ts';
import { bundleExecution, bundleLineage } from './bundle-execution.ts';
import { type EvidenceVerifier, verifyEvidence } from './verify-evidence.ts';

/**
 * root (log fs) → child (log web) → grandchild (fs), a denied child of the root, an unrelated execution, and a revocation
 * before all of them that concerns none.
 */
interface World {
  readonly domain: TestDomain;
  readonly fs: NoteVerifier;
  readonly ids: Readonly<Record<'root' | 'child' | 'grandchild' | 'denied' | 'revoked' | 'other', string>>;
}

async function makeWorld(): Promise<World> {
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

let world: World;
let elsewhere: World;
const bundles = new Map<string, EvidenceBundle>();

beforeAll(async () => {
  [world, elsewhere] = await Promise.all([makeWorld(), makeWorld()]);
  for (const [name, id] of Object.entries(world.ids)) {
    bundles.set(name, must(await bundleExecution(world.domain.home, id)));
  }
  bundles.set('lineage', must(await bundleLineage(world.domain.home, world.ids.grandchild)));
}, 60_000);
afterAll(() => {
  world?.domain.dispose();
  elsewhere?.domain.dispose();
});

const bundleOf = (name: string): EvidenceBundle => {
  const bundle = bundles.get(name);
  if (bundle === undefined) throw new TypeError(name);
  return structuredClone(bundle);
};
const check = (bundle: unknown, keys: Partial<ConstructorParameters<typeof EvidenceVerifier>[0]> = {}) =>
  verifyEvidence(JSON.stringify(bundle), { logs: [world.fs], ...keys });

describe('verifyEvidence', () => {
  it.each(['root', 'grandchild', 'denied', 'revoked', 'other'])('makes the decision again: %s', (name) => {
    const report = check(bundleOf(name));
    expect(report.problems).toEqual([]);
    expect(report).toMatchObject({ verified: true, withheld: [] });
    expect(report.executions[0]).toMatchObject({ subject: true, rederived: 'same' });
  });

  it('carries the lineage path to the root, through the log beside', () => {
    const { executions } = check(bundleOf('grandchild'));
    expect(executions.map(({ execution }) => execution)).toEqual([
      world.ids.grandchild,
      world.ids.child,
      world.ids.root,
    ]);
    expect(executions[1]?.decision?.log).toBe('test.local/execution/web');
  });

  it('verifies a whole lineage', () => {
    const report = check(bundleOf('lineage'));
    expect(report.problems).toEqual([]);
    expect(report.executions.map(({ execution }) => execution)).toEqual([
      world.ids.root,
      world.ids.child,
      world.ids.denied,
      world.ids.grandchild,
    ]);
    expect(report.executions.every(({ rederived }) => rederived === 'same')).toBe(true);
  });
});
