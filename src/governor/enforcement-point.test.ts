import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must, nowSeconds, TestDomain, testBundle } from '../../test/support/trust-domain.ts';
import { canonicalize, type Digest, type JsonObject } from '../codec/index.ts';
import type { Component } from '../environment/index.ts';
import { environmentFileText } from './attestation/environment-file.ts';
import { publishPolicy } from './domain.ts';
import type { OpenedGovernor } from './open.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const DIGEST: Digest = `sha256:${'0a'.repeat(32)}`;

let domain: TestDomain;
let opened: OpenedGovernor;

beforeAll(async () => {
  domain = await TestDomain.create();
  writeFileSync(domain.home.environmentFile, environmentFileText({ measure: ['policy'] }));
  opened = await domain.open();
});
afterAll(async () => {
  await opened?.close();
  domain?.dispose();
});

const nothing = async () => ({ status: 'succeeded' as const, value: 1, evidence: Buffer.from('') });

/** As many as a measurement has room for, up to a hundred bytes or so. */
function filling(): Component[] {
  const one = (at: number, length = 1024) => ({
    kind: 'x',
    name: `${at}`.padEnd(length, '-'),
    digest: DIGEST,
  });
  const components: Component[] = [];
  // What the governor adds: two tools and the policy.
  let room = MAX_BYTES - 400;
  for (let at = 0; room > 0; at += 1) {
    const bytes = (component: Component) => canonicalize({ ...component } as JsonObject).length + 1;
    const length = Math.min(1024, room - bytes(one(at, 10)) + 10);
    if (length < 10) break;
    components.push(one(at, length));
    room -= bytes(one(at, length));
  }
  return components;
}

test('a runtime that fills its measurement keeps no policy in it that is not in force any more, and ends nobody', async () => {
  const policy = opened.view().policy?.bundle;
  if (policy === undefined) throw new TypeError('no policy');
  opened.setComponents(filling(), nowSeconds());
  const bound = { kind: 'policy', name: policy.id, digest: policy.digest };
  const artifact = domain.issue({ writ: { environment: { components: [bound] } } });
  const call = () => domain.call([artifact], { audience: opened.audience });
  expect(await opened.governor.run(call(), nothing)).toMatchObject({ verdict: 'permit' });

  const started = Promise.withResolvers<void>();
  const running = opened.governor.run(call(), async ({ signal }) => {
    started.resolve();
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return nothing();
  });
  await started.promise;
  const longer = testBundle('permit (principal, action, resource) when { true };', 'p'.repeat(250));
  must(await publishPolicy(domain.home, longer, { actor: 'test', atSeconds: nowSeconds() }));
  await opened.governor.reverify();
  expect(await running).toMatchObject({ verdict: 'deny' });
  let runs = 0;
  for (let times = 0; times < 2; times += 1) {
    const again = await opened.governor.run(call(), () => {
      runs += 1;
      return nothing();
    });
    expect(again).toMatchObject({ verdict: 'deny' });
  }
  expect(runs).toBe(0);

  // What there is room for is decided again, by the policy that is in force.
  opened.setComponents([], nowSeconds());
  const unbound = domain.call([domain.issue()], { audience: opened.audience });
  expect(await opened.governor.run(unbound, nothing)).toMatchObject({ verdict: 'permit' });
  expect(await opened.governor.run(call(), nothing)).toMatchObject({
    denial: { code: 'environment.mismatch' },
  });
});

test('components that cannot be measured change nothing', async () => {
  const artifact = domain.issue({
    writ: { environment: { components: [{ kind: 'x', name: 'a', digest: DIGEST }] } },
  });
  const call = () => domain.call([artifact], { audience: opened.audience });
  const twice = [{ kind: 'x', name: 'a', digest: DIGEST, at: -1 }];
  expect(() => opened.setComponents(twice, nowSeconds())).toThrow(TypeError);
  // Listing tools measures again what was told before.
  opened.setTools([]);
  expect(await opened.governor.run(call(), nothing)).toMatchObject({
    denial: { code: 'environment.mismatch' },
  });
});
