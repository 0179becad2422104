import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, nowSeconds, TestDomain, testBundle } from '../../../test/support/trust-domain.ts';
import { type Component, collectedBy, measurementOf, measureUpstream } from '../../environment/index.ts';
import { publishPolicy } from '../index.ts';
import type { OpenedGovernor } from '../open.ts';
import { environmentFileText } from './environment-file.ts';
import { type MeasuredEnvironment, measureEnvironment } from './measured-environment.ts';

const MISMATCH = 'environment.mismatch';

let domain: TestDomain;
let project: string;
let environment: MeasuredEnvironment;
let opened: OpenedGovernor;
let now: readonly Component[];
/** Resolves with the next measuring that finds something else. */
let changed: PromiseWithResolvers<readonly Component[]>;

const write = (path: string, text: string) => writeFileSync(join(project, path), text);

beforeAll(async () => {
  domain = await TestDomain.create();
  project = join(domain.folder, 'project');
  for (const path of ['.git/refs/heads', 'deep/er', 'releases/1', 'releases/2', 'node_modules/tool']) {
    mkdirSync(join(project, path), { recursive: true });
  }
  write('.git/HEAD', 'ref: refs/heads/main\n');
  write('.git/refs/heads/main', `${'1'.repeat(40)}\n`);
  write('deep/er/settings', 'one');
  for (const release of ['1', '2']) write(`releases/${release}/uv.lock`, `lock of ${release}`);
  symlinkSync('releases/1', join(project, 'current'));
  symlinkSync('current/uv.lock', join(project, 'uv.lock'));
  write('node_modules/tool/package.json', '{"name":"tool"}');
  write('node_modules/tool/tool.mjs', 'one');
  writeFileSync(
    domain.home.environmentFile,
    environmentFileText({ measure: ['repository', 'configuration', 'policy'] }),
  );
  environment = must(
    measureEnvironment({
      ...{ home: domain.home, folder: join(project, 'deep'), containerImage: undefined, nowSeconds },
      measureProgram: async (onRead) => {
        const command = { command: process.execPath, args: ['node_modules/tool/tool.mjs'], cwd: project };
        const measured = must(await measureUpstream({ ...command, searchPath: '' }, onRead));
        return collectedBy('program', nowSeconds(), measured.components);
      },
    }),
  );
  opened = await domain.open({ components: environment.components });
  now = await environment.components;
  environment.follow({
    setComponents(components, atSeconds) {
      opened.setComponents(components, atSeconds);
      const isOther = measurementOf(components, 'self', 0).digest !== measurementOf(now, 'self', 0).digest;
      now = components;
      if (isOther) changed?.resolve(components);
    },
  });
}, 30_000);
afterAll(async () => {
  environment?.stop();
  await opened?.close();
  domain?.dispose();
});

const find = (kind: string, name: string) => now.find((one) => one.kind === kind && one.name === name);

/** Runs something bound to a component until it is stopped, and once more. */
async function runUntilStopped(bound: Component | undefined, change: () => unknown) {
  if (bound === undefined) throw new TypeError('not measured');
  const { kind, name, digest } = bound;
  const artifact = domain.issue({ writ: { environment: { components: [{ kind, name, digest }] } } });
  const call = () => domain.call([artifact], { audience: opened.audience });
  const started = Promise.withResolvers<void>();
  changed = Promise.withResolvers();
  const running = opened.governor.run(call(), async ({ signal }) => {
    started.resolve();
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return { status: 'succeeded', value: 1, evidence: Buffer.from('') };
  });
  await Promise.race([started.promise, running]);
  await change();
  const first = await running;
  let runs = 0;
  const second = await opened.governor.run(call(), async () => {
    runs += 1;
    return { status: 'succeeded', value: 1, evidence: Buffer.from('') };
  });
  return [...[first, second].map((one) => (one.verdict === 'deny' ? one.denial.code : one.verdict)), runs];
}

describe('what runs is stopped, and nothing starts any more, when of what it is bound to changes', () => {
  it.each<[string, string, string, () => unknown]>([
    ['a file deep in a working tree', 'worktree', 'project', () => write('deep/er/settings', 'two')],
    [
      'a file in a folder that is new',
      'worktree',
      'project',
      () => {
        mkdirSync(join(project, 'new/er'), { recursive: true });
        write('new/er/settings', 'one');
      },
    ],
    ['a file in it once more', 'worktree', 'project', () => write('new/er/settings', 'two')],
    [
      'what HEAD leads to',
      'commit',
      'project',
      () => {
        // As git writes it: beside it, and renamed over.
        write('.git/refs/heads/main.lock', `${'2'.repeat(40)}\n`);
        renameSync(join(project, '.git/refs/heads/main.lock'), join(project, '.git/refs/heads/main'));
      },
    ],
    ['the same, once more', 'commit', 'project', () => write('.git/refs/heads/main', `${'3'.repeat(40)}\n`)],
    ['a file of an installed package', 'package', 'tool', () => write('node_modules/tool/more.mjs', 'x')],
    [
      'a lockfile behind two links, by the second of them',
      'lockfile',
      'tool',
      () => {
        symlinkSync('releases/2', join(project, 'next'));
        renameSync(join(project, 'next'), join(project, 'current'));
      },
    ],
    ['the file that they lead to', 'lockfile', 'tool', () => write('releases/2/uv.lock', 'another')],
    [
      'what configures the enforcer',
      'configuration',
      'writ.yaml',
      () => writeFileSync(join(domain.home.folder, 'writ.yaml'), '# changed\n', { mode: 0o600 }),
    ],
    ['the program', 'upstream', 'tool', () => write('node_modules/tool/tool.mjs', 'two')],
    ['its folder', 'package', 'tool', () => rmSync(join(project, 'node_modules/tool'), { recursive: true })],
  ])('%s', async (_name, kind, name, change) => {
    const bound = find(kind, name);
    expect(await runUntilStopped(bound, change)).toEqual([MISMATCH, MISMATCH, 0]);
    expect((await changed.promise).find((one) => one.kind === kind && one.name === name)?.digest).not.toBe(
      bound?.digest,
    );
  });

  it('the policy in force, as the governor itself sees it, whatever the runtime says', async () => {
    const bundle = opened.view().policy?.bundle;
    if (bundle === undefined) throw new TypeError('no policy');
    const policy = { kind: 'policy', name: bundle.id, digest: bundle.digest };
    const forged = testBundle('permit (principal, action, resource) when { true };');
    const publish = async () => {
      must(await publishPolicy(domain.home, forged, { actor: 'test', atSeconds: nowSeconds() }));
      await opened.governor.reverify();
    };
    expect(await runUntilStopped(policy, publish)).toEqual([MISMATCH, MISMATCH, 0]);
    opened.setComponents([...now, policy], nowSeconds());
    const artifact = domain.issue({ writ: { environment: { components: [policy] } } });
    const asked = await opened.governor.run(domain.call([artifact], { audience: opened.audience }), () => {
      throw new Error('it ran');
    });
    expect(asked).toMatchObject({ verdict: 'deny', denial: { code: MISMATCH } });
  });
});

it('what was measured again is as old as the beginning of its measuring', async () => {
  let seconds = 100;
  const began: number[] = [];
  const slow = must(
    measureEnvironment({
      ...{ home: domain.home, folder: project, containerImage: undefined, nowSeconds: () => seconds },
      measureProgram: async () => {
        began.push(seconds);
        seconds += 50;
        return [];
      },
    }),
  );
  await slow.components;
  const told = Promise.withResolvers<readonly [at: number, began: readonly number[]]>();
  slow.follow({ setComponents: (_components, at) => told.resolve([at, [...began]]) });
  write('deep/er/settings', 'measured again');
  const [at, before] = await told.promise;
  slow.stop();
  expect(before).toContain(at);
});
