import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  createWorkloadProof,
  DevelopmentIssuer,
  type TrustBundle,
  verifyWorkload,
} from '../../workload/index.ts';
import { workloadApiTarget } from './endpoint.ts';
import type { WitIdentity, X509Identity } from './identities.ts';
import { splitDer } from './split-der.ts';
import { TestWorkloadApi } from './workload-api.test-support.ts';
import { type Watcher, WorkloadApi } from './workload-api.ts';

const PROD = 'prod.example';
const WEB = `spiffe://${PROD}/web`;
const NOW = Math.floor(Date.now() / 1000);
const day = { nowSeconds: NOW, ttlSeconds: 86_400 };
const issuer = DevelopmentIssuer.create(PROD, day);

let server: TestWorkloadApi;
let answers: TestWorkloadApi['answers'];
let calls: string[];
let api: WorkloadApi;

beforeAll(async () => {
  server = await TestWorkloadApi.start();
  ({ answers, calls } = server);
  api = await WorkloadApi.open({ endpoint: server.endpoint, firstBackoffMs: 5, maxBackoffMs: 20 });
});
beforeEach(() => {
  for (const name of Object.keys(answers)) delete answers[name];
  calls.length = 0;
});
afterAll(() => {
  api.close();
  server.close();
});

const der = (certificates: readonly string[]) =>
  Buffer.concat(certificates.map((one) => Buffer.from(one, 'base64')));
const root = (of = issuer) => [of.state.authorityCertificate];
const witBundle = (of = issuer): JsonObject => ({
  keys: (of.bundle().keys as JsonObject[]).filter(({ use }) => use === 'wit-svid'),
});

function x509(id: string, by = issuer, key?: Buffer) {
  const { certificates, privateKey } = by.issueX509(id, day);
  return {
    spiffe_id: id,
    x509_svid: der(certificates),
    x509_svid_key: key ?? privateKey.export({ type: 'pkcs8', format: 'der' }),
    bundle: der(root(by)),
    hint: 'internal',
  };
}

/** Everything a watch says, one by one. */
function recording<T>(watch: (watcher: Watcher<T>) => () => void) {
  const seen: (T | string)[] = [];
  const waiting = new Set<() => void>();
  const tell = (what: T | string) => {
    seen.push(what);
    for (const look of waiting) look();
  };
  const stop = watch({ onUpdate: tell, onProblem: tell });
  const until = (matches: (what: T | string) => boolean) =>
    new Promise<T | string>((resolve) => {
      const look = () => {
        const found = seen.find(matches);
        if (found !== undefined) resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { seen, stop, until };
}

test('a workload gets its identities, and proves them with bundles from the same place', async () => {
  answers.FetchX509SVID = (stream) => stream.write({ svids: [x509(WEB)] });
  answers.FetchX509Bundles = (stream) => stream.write({ bundles: { [`spiffe://${PROD}`]: der(root()) } });
  const { wit: token, privateKey: witKey } = issuer.issueWit(WEB, day);
  answers.FetchWITSVID = (stream) =>
    stream.write({
      svids: [
        { spiffe_id: WEB, wit_svid: token, wit_svid_key: JSON.stringify(witKey.export({ format: 'jwk' })) },
      ],
    });
  answers.FetchWITBundles = (stream) => {
    stream.write({ bundles: { 'spiffe://dev.example': '{"keys":[]}' }, more: true });
    stream.write({ bundles: { [`spiffe://${PROD}`]: JSON.stringify(witBundle()) }, more: false });
  };
  const [certificate] = await api.first<readonly X509Identity[]>((watcher) => api.watchX509(watcher));
  const [identity] = await api.first<readonly WitIdentity[]>((watcher) => api.watchWit(watcher));
  const { until, stop } = recording<readonly TrustBundle[]>((watcher) => api.watchTrustBundles(watcher));
  const told = await until((what) => typeof what !== 'string' && what.length === 2);
  stop();
  if (certificate === undefined || identity === undefined || typeof told === 'string')
    throw new Error('nothing');
  expect(certificate).toMatchObject({ id: WEB, hint: 'internal' });
  const bundles = new Map(told.map((bundle) => [bundle.trustDomain, bundle]));
  const context = { bundles, audience: 'spiffe://local/gateway/fs', pop: 'a.b.c', nowSeconds: NOW };
  const { wit, privateKey } = identity;
  const wpt = createWorkloadProof({ ...context, wit, privateKey });
  for (const credential of [
    { kind: 'x509-svid', certificates: certificate.certificates },
    { kind: 'wit-svid', wit, wpt },
  ] as const) {
    const workload = verifyWorkload(credential, context);
    expect(isDenial(workload) ? workload.detail : workload.id).toBe(WEB);
  }
});

test('rotation comes by the same stream, and a stream that is lost is opened again', async () => {
  let opened = 0;
  answers.FetchX509SVID = (stream) => {
    opened += 1;
    if (opened === 2) {
      stream.emit('error', { code: 14, details: 'restarting' });
      return;
    }
    stream.write({ svids: [x509(`${WEB}/${opened}a`)] });
    stream.write({ svids: [x509(`${WEB}/${opened}b`)] });
    if (opened === 1) stream.end();
  };
  const ids = (what: readonly { id: string }[] | string) => (typeof what === 'string' ? what : what[0]?.id);
  const { until, stop, seen } = recording<readonly { id: string }[]>((watcher) => api.watchX509(watcher));
  await until((what) => ids(what) === `${WEB}/3b`);
  stop();
  expect(seen.map(ids)).toEqual([
    `${WEB}/1a`,
    `${WEB}/1b`,
    'FetchX509SVID: the stream ended',
    'FetchX509SVID: restarting',
    `${WEB}/3a`,
    `${WEB}/3b`,
  ]);
});

test.each([
  ['no certificates', () => ({ ...x509(WEB), x509_svid: Buffer.from('none') })],
  ['a certificate that is cut off', () => ({ ...x509(WEB), x509_svid: x509(WEB).x509_svid.subarray(0, -1) })],
  ['no key', () => ({ ...x509(WEB), x509_svid_key: Buffer.alloc(0) })],
  ['another one’s key', () => ({ ...x509(WEB), x509_svid_key: x509(WEB).x509_svid_key })],
])('%s: nothing of the answer is taken', async (_name, svid) => {
  answers.FetchX509SVID = (stream) => stream.write({ svids: [x509(WEB), svid()] });
  await expect(api.first((watcher) => api.watchX509(watcher))).rejects.toThrow(/FetchX509SVID/);
});

test('an endpoint that does not have a profile is not asked again', async () => {
  await expect(api.first((watcher) => api.watchWit(watcher))).rejects.toThrow(/not here/);
  expect(calls).toEqual(['FetchWITSVID']);
});

test('a bundle of no trust domain, or of an ID within one, is none', async () => {
  for (const name of [PROD, WEB, 'spiffe://Prod.example']) {
    answers.FetchX509Bundles = (stream) => stream.write({ bundles: { [name]: der(root()) } });
    const { until, stop } = recording<readonly TrustBundle[]>((watcher) => api.watchTrustBundles(watcher));
    expect(await until((what) => String(what).includes('X509Bundles'))).toMatch(/no trust domain/);
    stop();
  }
});

test('a bundle that cannot be read costs its own trust domain its trust, and holds up no withdrawal of another', async () => {
  const other = DevelopmentIssuer.create('other.example', day);
  const gone = DevelopmentIssuer.create('gone.example', day);
  const [prod, others, went] = [`spiffe://${PROD}`, 'spiffe://other.example', 'spiffe://gone.example'];
  for (const unreadable of [Buffer.from('spoilt'), der(root(other)).subarray(0, -1), der([])]) {
    const isReadable = unreadable.length === 0;
    answers.FetchX509Bundles = (stream) => {
      stream.write({
        bundles: { [prod]: der(root()), [others]: der(root(other)), [went]: der(root(gone)) },
      });
      stream.write({ bundles: { [others]: unreadable, [prod]: der(root()) } });
    };
    const { until, stop, seen } = recording<readonly TrustBundle[]>((watcher) =>
      api.watchTrustBundles(watcher),
    );
    const told = (what: readonly TrustBundle[] | string) =>
      typeof what === 'string' ? [] : what.map(({ trustDomain }) => trustDomain).sort();
    const last = await until((what) => told(what).length > 0 && !told(what).includes('gone.example'));
    stop();
    expect(told(seen.find((what) => typeof what !== 'string') ?? '').length).toBe(3);
    if (isReadable) {
      // No certificates at all are read as what they are: no authority.
      expect(told(last)).toEqual(['other.example', PROD]);
    } else {
      expect(told(last)).toEqual([PROD]);
      expect(seen.filter((what) => String(what).startsWith('FetchX509Bundles'))).toEqual([
        expect.stringMatching(/left out: other\.example/),
      ]);
    }
  }
  // What is read only when both kinds of keys are put together.
  const [key] = witBundle(other).keys as JsonObject[];
  answers.FetchX509Bundles = (stream) => stream.write({ bundles: { [prod]: der(root()) } });
  answers.FetchWITBundles = (stream) =>
    stream.write({ bundles: { [others]: JSON.stringify({ keys: [key, key] }) }, more: false });
  const { until, stop, seen } = recording<readonly TrustBundle[]>((watcher) =>
    api.watchTrustBundles(watcher),
  );
  await until((what) => /left out: other\.example: .*two keys/.test(String(what)));
  await until((what) => typeof what !== 'string' && what.some(({ trustDomain }) => trustDomain === PROD));
  stop();
  expect(
    seen.flatMap((what) => (typeof what === 'string' ? [] : what.map((one) => one.trustDomain))),
  ).not.toContain('other.example');
});

test('what a stream told in part before it broke off is not taken for told by the next one', async () => {
  const bundle = { [`spiffe://${PROD}`]: JSON.stringify(witBundle()) };
  let opened = 0;
  answers.FetchWITBundles = (stream) => {
    opened += 1;
    if (opened === 1) {
      stream.write({ bundles: { 'spiffe://gone.example': '{"keys":[]}' }, more: true });
      stream.end();
    } else if (opened === 2) {
      stream.write({ bundles: { 'spiffe://gone.example': '{"keys":[]}' }, more: true });
      stream.emit('error', { code: 14, details: 'restarting' });
    } else stream.write({ bundles: bundle, more: false });
  };
  const { until, stop } = recording<readonly TrustBundle[]>((watcher) => api.watchTrustBundles(watcher));
  const told = await until((what) => typeof what !== 'string');
  stop();
  expect(typeof told === 'string' ? told : told.map(({ trustDomain }) => trustDomain)).toEqual([PROD]);
  expect(opened).toBe(3);
});

test('an endpoint that tells bundles in parts without end is left, whatever the parts are', async () => {
  const many = (count: number, text: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`spiffe://d${at}.example`, text]));
  const padding = JSON.stringify({ keys: [], padding: 'x'.repeat(500_000) });
  for (const bundles of [many(300, '{"keys":[]}'), many(7, padding)]) {
    let opened = 0;
    answers.FetchWITBundles = (stream) => {
      opened += 1;
      if (opened > 1) {
        stream.write({ bundles: { [`spiffe://${PROD}`]: JSON.stringify(witBundle()) }, more: false });
        return;
      }
      for (let at = 0; at < 5; at += 1) stream.write({ bundles, more: true });
    };
    const { until, stop, seen } = recording<readonly TrustBundle[]>((watcher) =>
      api.watchTrustBundles(watcher),
    );
    const told = await until((what) => typeof what !== 'string');
    stop();
    expect(seen).toContainEqual(expect.stringMatching(/FetchWITBundles: more than 1024 bundles, or/));
    expect(typeof told === 'string' ? told : told.map(({ trustDomain }) => trustDomain)).toEqual([PROD]);
  }
});

test('bundles that this process may not have any more are taken back', async () => {
  let refuse = () => {};
  answers.FetchX509Bundles = (stream) => {
    refuse = () => stream.emit('error', { code: 7, details: 'not entitled' });
    stream.write({ bundles: { [`spiffe://${PROD}`]: der(root()) } });
  };
  const { until, stop } = recording<readonly TrustBundle[]>((watcher) => api.watchTrustBundles(watcher));
  await until((what) => typeof what !== 'string' && what.length === 1);
  refuse();
  await until((what) => typeof what !== 'string' && what.length === 0);
  stop();
});

test('endpoints are absolute paths of Unix sockets', () => {
  expect(workloadApiTarget('unix:/run/a.sock')).toBe('unix:/run/a.sock');
  expect(workloadApiTarget('unix:///run/a.sock')).toBe('unix:/run/a.sock');
  for (const none of [
    '',
    '/run/a.sock',
    'unix:a.sock',
    'unix://a.sock',
    'unix://host/a',
    'tcp://127.0.0.1:1',
    'unix:////a',
    'unix:/a?b',
    'dns:x',
  ]) {
    expect(workloadApiTarget(none), none).toBeUndefined();
  }
  expect(splitDer(Buffer.alloc(0))).toEqual([]);
  expect(splitDer(Buffer.from([0x30, 0x80, 0, 0]))).toBeUndefined();
});
