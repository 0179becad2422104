import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { READ, TestDomain, WRITE } from '../../test/support/trust-domain.ts';
import type { JsonObject } from '../codec/index.ts';
import type { OpenedGovernor } from '../governor/index.ts';
import { writ } from './run.test-support.ts';

describe('writ artifact propose', () => {
  let domain: TestDomain;
  let opened: OpenedGovernor;
  let governanceSize = 0;
  const cli = (...argv: readonly string[]) =>
    writ({ cwd: domain.folder }, 'artifact', 'propose', ...argv, '--json');

  beforeAll(async () => {
    domain = await TestDomain.create('permit (principal, action in Writ::Action::"read", resource);');
    opened = await domain.open();
  });
  afterAll(async () => {
    await opened.close();
    domain.dispose();
  });

  async function call(chain: readonly string[], tool: string, args: JsonObject) {
    const action = domain.call(chain, { audience: opened.audience, tool, args });
    const outcome = await opened.governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
    await opened.governor.settle();
    governanceSize = opened.view().size;
    return { code: outcome.verdict === 'permit' ? 'permit' : outcome.denial.code, id: outcome.executionId };
  }
  const stored = (name: string): readonly string[] =>
    JSON.parse(readFileSync(domain.home.artifactFile(name), 'utf8')).aat_chain;

  it('adds a tool with exactly these arguments, and signs only when told to', async () => {
    const chain = [domain.issue({ tools: { [WRITE]: { path: { constraint_type: 'exact', value: '/w' } } } })];
    const { id, code } = await call(chain, READ, { path: '/a' });
    expect(code).toBe('scope.tool_not_granted');
    const proposed = await cli(id);
    expect(proposed.err).toBe('');
    expect(proposed.json).toMatchObject({
      asked: 'permit',
      signed: null,
      policy: null,
      artifact: {
        apart: false,
        grant: {
          tools: {
            [WRITE]: { path: { constraint_type: 'exact', value: '/w' } },
            [READ]: { path: { constraint_type: 'exact', value: '/a' } },
          },
        },
      },
    });
    const { neighbours } = proposed.json as unknown as { neighbours: { opened: boolean; code: string }[] };
    expect(neighbours.length).toBeGreaterThan(2);
    expect(neighbours.every((neighbour) => !neighbour.opened && neighbour.code !== 'permit')).toBe(true);
    expect(opened.view().size).toBe(governanceSize);
    const text = await writ({ cwd: domain.folder }, 'artifact', 'propose', id);
    expect(text.out).toContain(`+   "${READ}": {`);
    expect(text.out).toContain(`    "${WRITE}": {`);

    expect((await cli(id, '--sign', '--out', 'more')).json).toMatchObject({
      signed: { artifact: { name: 'more' } },
    });
    // The effect: that call, and no other.
    expect((await call(stored('more'), READ, { path: '/a' })).code).toBe('permit');
    expect((await call(stored('more'), READ, { path: '/b' })).code).toBe('scope.arguments_not_granted');
    expect((await call(chain, READ, { path: '/a' })).code).toBe('scope.tool_not_granted');
  });

  it('stands beside what grants the tool otherwise, and closes what has no arguments', async () => {
    const chain = [domain.issue({ tools: { [READ]: { path: { constraint_type: 'exact', value: '/a' } } } })];
    const { id } = await call(chain, READ, { path: '/b' });
    const { json } = await cli(id);
    expect(json).toMatchObject({ artifact: { apart: true, grant: { tools: { [READ]: {} } } } });
    const { artifact } = json as unknown as { artifact: { grant: { tools: JsonObject } } };
    expect(Object.keys(artifact.grant.tools)).toEqual([READ]);
    const { exactGrant } = await import('../governor/proposal/exact-grant.ts');
    const closed = [domain.issue({ tools: { [READ]: exactGrant({}) ?? {} } })];
    expect((await call(closed, READ, { path: '/a' })).code).toBe('scope.arguments_not_granted');
    expect((await call(closed, READ, { none: true })).code).toBe('scope.arguments_not_granted');
  });

  it('proposes a policy for exactly this, where policy is what lacks, and both where both do', async () => {
    const chain = [domain.issue()];
    const { id, code } = await call(chain, WRITE, { path: '/p"q', amount: 3 });
    expect(code).toBe('policy.not_permitted');
    const proposed = await cli(id);
    expect(proposed.json).toMatchObject({ asked: 'permit', artifact: null });
    const { policy, neighbours } = proposed.json as unknown as {
      policy: { text: string; path: string };
      neighbours: { code: string; opened: boolean }[];
    };
    expect(policy.text).toContain('context.input["path"] == "/p\\u{22}q"');
    expect(policy.text).toContain('!(context.input has "content")');
    expect(neighbours.some((neighbour) => neighbour.opened)).toBe(false);
    expect((await cli(id, '--sign')).json).toMatchObject({ signed: { policy: {} } });
    expect(existsSync(join(domain.home.folder, 'policy', policy.path))).toBe(true);
    expect((await call(chain, WRITE, { path: '/p"q', amount: 3 })).code).toBe('permit');
    expect((await call(chain, WRITE, { path: '/p"q', amount: 4 })).code).toBe('policy.not_permitted');
    expect((await call(chain, WRITE, { path: '/p"q', amount: 3, content: '' })).code).toBe(
      'policy.not_permitted',
    );

    const bare = [domain.issue({ tools: { [READ]: {} } })];
    const both = await cli((await call(bare, WRITE, { path: '/both' })).id);
    expect(both.json).toMatchObject({ asked: 'permit', artifact: { apart: false }, policy: { unseen: [] } });
  });

  it('proposes nothing where nothing narrow would help', async () => {
    const { id } = await call([domain.issue()], READ, { path: '/a' });
    expect((await cli(id)).json.error).toMatchObject({ message: 'it was permitted' });
    const unknown = await call([domain.issue({ audiences: ['spiffe://test.local/gateway/x'] })], READ, {
      path: '/a',
    });
    expect((await cli(unknown.id)).json.error).toMatchObject({
      message: 'no artifact or policy can be proposed for artifact.audience_mismatch',
    });
  });
});
