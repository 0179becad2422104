import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { nowSeconds } from '../../../test/support/trust-domain.ts';
import { mintRoot, type WritClaim } from '../../artifact/index.ts';
import { isDenial } from '../../denial/index.ts';
import { SigningKey } from '../../key/index.ts';
import { TestWorkloadApi } from '../../mesh/workload-api/workload-api.test-support.ts';
import { DevelopmentIssuer, verifyWorkload, type WorkloadSource } from '../../workload/index.ts';
import { parseTrustBundle } from '../../workload/trust-bundle.ts';
import { chooseWorkload } from './choose-workload.ts';
import { WitOfWorkloadApi } from './wit-of-workload-api.ts';

const WEB = 'spiffe://prod.example/web';
const OTHER = 'spiffe://prod.example/other';
const NOW = nowSeconds();
const issuer = DevelopmentIssuer.create('prod.example', { nowSeconds: NOW, ttlSeconds: 3600 });
const bundle = parseTrustBundle('prod.example', JSON.stringify(issuer.bundle()));
const audience = 'spiffe://test.local/gateway/fs';
const pop = 'e30.e30.cG9w';

let api: TestWorkloadApi;
beforeAll(async () => {
  api = await TestWorkloadApi.start();
});
beforeEach(() => {
  api.calls.length = 0;
  for (const name of Object.keys(api.answers)) delete api.answers[name];
});
afterAll(() => api.close());

const give = (id: string, ttlSeconds = 3600) => ({
  id,
  ...issuer.issueWit(id, { nowSeconds: NOW, ttlSeconds }),
});
const open = (id?: string) =>
  WitOfWorkloadApi.open({ endpoint: api.endpoint, id, withinMs: 5000, minPauseMs: 10 });

/** Whom what is shown proves, to who verifies it; else why nothing is shown. */
function provenBy(source: WorkloadSource, at = nowSeconds()): string {
  const shown = source.prove({ audience, pop, nowSeconds: at });
  if (isDenial(shown)) return shown.detail;
  if (isDenial(bundle)) throw new Error(bundle.detail);
  const bundles = new Map([['prod.example', bundle]]);
  const proven = verifyWorkload({ kind: 'wit-svid', ...shown }, { bundles, audience, pop, nowSeconds: at });
  return isDenial(proven) ? `not proven: ${proven.detail}` : proven.id;
}

test('of several identities the one that is asked for is shown, else the default one, else none', async () => {
  api.giveWits(() => [give(OTHER), give(WEB)]);
  for (const [asked, proven] of [
    [WEB, WEB],
    [undefined, OTHER],
    ['spiffe://prod.example/more', expect.stringMatching(/no WIT-SVID of spiffe.*gives this process others/)],
  ] as const) {
    const source = await open(asked);
    expect(provenBy(source)).toEqual(proven);
    source.close();
    expect(provenBy(source)).toMatch(/no WIT-SVID/);
  }
});

test('an identity is asked for anew before it ends, and serves until the next one is there', async () => {
  let given = 0;
  // Half of it is over at once: the pause between two questions is what counts.
  api.giveWits(() => {
    given += 1;
    return [give(WEB, given === 1 ? 0 : 3600)];
  });
  const source = await open();
  expect(provenBy(source, NOW - 1)).toBe(WEB);
  await vi.waitFor(() => expect(provenBy(source)).toBe(WEB));
  expect(given).toBe(2);
  source.close();
});

test('what the endpoint takes back is shown no more', async () => {
  let say: (ids: readonly string[] | 'refuse') => void = () => {};
  api.answers.FetchWITSVID = (stream) => {
    say = (ids) => {
      if (ids === 'refuse') {
        stream.emit('error', { code: 7, details: 'no identity issued' });
        return;
      }
      const svids = ids.map((id) => {
        const { wit, privateKey } = give(id);
        const key = JSON.stringify(privateKey.export({ format: 'jwk' }));
        return { spiffe_id: id, wit_svid: wit, wit_svid_key: key };
      });
      stream.write({ svids });
    };
    say([WEB, OTHER]);
  };
  const source = await open(WEB);
  expect(provenBy(source)).toBe(WEB);
  say([OTHER]);
  await vi.waitFor(() => expect(provenBy(source)).toMatch(/gives this process others/));
  say([WEB]);
  await vi.waitFor(() => expect(provenBy(source)).toBe(WEB));
  say('refuse');
  await vi.waitFor(() => expect(provenBy(source)).toMatch(/no identity issued/));
  source.close();
});

test('an endpoint without WIT-SVIDs is asked once; one that is absent or no endpoint says so', async () => {
  const source = await open();
  for (let call = 0; call < 3; call += 1) expect(provenBy(source, NOW + call)).toMatch(/not here/);
  expect(api.calls).toEqual(['FetchWITSVID']);
  source.close();
  const bad = await WitOfWorkloadApi.open({ endpoint: 'tcp://127.0.0.1:1', withinMs: 10 });
  expect(provenBy(bad)).toMatch(/the Workload API is not at/);
  api.answers.FetchWITSVID = () => {};
  const silent = await WitOfWorkloadApi.open({ endpoint: api.endpoint, withinMs: 10 });
  expect(provenBy(silent)).toMatch(/has not answered yet/);
  silent.close();
});

test('what is given under another name than its own, or with another key, is none', async () => {
  const [web, other] = [give(WEB), give(OTHER)];
  for (const spoilt of [
    { ...web, id: OTHER },
    { ...web, privateKey: other.privateKey },
    { ...web, wit: `${web.wit}.` },
  ]) {
    api.giveWits(() => [spoilt]);
    const source = await open();
    expect(provenBy(source)).toMatch(/^no WIT-SVID to show: (the|what the) Workload API gives/);
    source.close();
  }
});

test('nothing is shown under an artifact that names no workload, unless somebody chose so', async () => {
  api.giveWits(() => [give(WEB)]);
  const holder = SigningKey.generate();
  const chain = (writ: WritClaim) => [
    String(
      mintRoot({
        issuer: { iss: 'spiffe://test.local/issuer', signer: holder },
        ...{ holder: holder.publicKey, tools: {}, audiences: [audience], maxDepth: 0 },
        ...{ iatSeconds: NOW, expSeconds: NOW + 60, writ },
      }),
    ),
  ];
  const { endpoint } = api;
  const human: WritClaim = { initiator: { id: 'spiffe://test.local/user/ada', kind: 'human' } };
  const initiator: WritClaim = { initiator: { id: WEB, kind: 'workload' } };
  for (const [writ, from, shows] of [
    [human, undefined, undefined],
    [{ ...human, workload: WEB }, undefined, true],
    [{ ...human, workload: WEB }, 'none', undefined],
    [{ ...human, workload: OTHER }, undefined, 'identity.mismatch'],
    [human, { endpoint }, true],
    [initiator, undefined, true],
    // It may be known by its key: whether it is, is for others to decide.
    [{ initiator: { id: OTHER, kind: 'workload' } }, undefined, 'undefined'],
  ] as const) {
    const shown = await chooseWorkload(chain(writ), { from, endpoint });
    const members = shown?.for(audience, nowSeconds)(pop);
    const what = isDenial(members) ? members.code : members === undefined ? 'undefined' : true;
    expect(shown === undefined ? undefined : what, JSON.stringify(writ)).toBe(shows);
    shown?.close();
  }
});
