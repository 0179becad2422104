import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { TestSession } from '../../../test/support/test-session.ts';
import { must, nowSeconds, TestDomain } from '../../../test/support/trust-domain.ts';
import type { JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { systemClock } from '../../governor/index.ts';
import { createWorkloadProof, DevelopmentIssuer, pemOfCertificates } from '../../workload/index.ts';
import { type Config, DEFAULT_CONFIG } from '../config/index.ts';
import { Daemon } from '../daemon/daemon.ts';
import { createLogger } from '../daemon/logger.ts';
import { WorkloadTrust } from './workload-trust.ts';

const PROD = 'prod.example';
const WEB = `spiffe://${PROD}/ns/shop/web`;
const OTHER = `spiffe://${PROD}/ns/shop/other`;
const day = () => ({ nowSeconds: nowSeconds(), ttlSeconds: 86_400 });
const issuer = DevelopmentIssuer.create(PROD, day());
const logger = createLogger(new Writable({ write: (_chunk, _encoding, done) => done() }));

let domain: TestDomain;
let daemon: Daemon;
let folder: string;
let authority: TestAuthority;
let config: Config;

const writeBundle = (name: string, json: JsonObject) => {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(json));
  return file;
};

beforeAll(async () => {
  domain = await TestDomain.create();
  folder = mkdtempSync(join(tmpdir(), 'writ-svid-'));
  authority = new TestAuthority(folder, 'authority');
  const server = authority.issue('server', 'IP:127.0.0.1');
  config = {
    ...DEFAULT_CONFIG,
    listen: {
      ...{ address: '127.0.0.1', port: 0, allowInsecureLoopback: false },
      tls: {
        ...{ certificateFile: server.cert, key: { file: server.key }, minVersion: 'TLSv1.2' },
        callers: [WEB, OTHER].map((id) => ({ id, role: 'enforcement-point', enforcementPoint: 'fs' })),
      },
    },
    workloads: { trustBundles: [{ trustDomain: PROD, file: writeBundle('prod.json', issuer.bundle()) }] },
  };
  const { home } = domain;
  daemon = must(await Daemon.start({ home, clock: systemClock, version: '0', logger, drainMs: 0, config }));
});
afterAll(async () => {
  await daemon.close();
  domain.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** A session of a workload, by the certificate that an issuer gives it; the status where there is none to be had. */
async function connect(id: string, by = issuer, validity = day()): Promise<TestSession | number> {
  const { certificates, privateKey } = by.issueX509(id, validity);
  const url = new URL('/v1/enforcement-points/fs/session', daemon.url?.replace(/^http/, 'ws'));
  const session = await TestSession.connect(url.href, {
    ca: readFileSync(authority.certificateFile),
    cert: pemOfCertificates(certificates),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
  if (session instanceof TestSession) {
    await session.ask({ id: 1, open: { components: [], measuredAtSeconds: nowSeconds() } });
  }
  return session;
}

async function ask(
  session: TestSession | number,
  initiator: string,
  shown: (pop: string) => { wit?: string; wpt?: string } = () => ({}),
): Promise<JsonObject> {
  if (typeof session === 'number') throw new Error(`not connected: ${session}`);
  const chain = [domain.issue({ writ: { initiator: { id: initiator, kind: 'workload' } } })];
  const { tool, args, presentation, toolDigest } = domain.call(chain, {
    audience: domain.home.audience('fs'),
  });
  if (presentation === undefined || isDenial(presentation)) throw new Error('nothing presented');
  return session.ask({
    id: 2,
    ask: {
      tool,
      args,
      presentation: { ...presentation, ...shown(presentation.aat_pop) },
      ...(toolDigest && { toolDigest }),
    },
  });
}

test('a connection with an X.509-SVID proves the workload that an artifact names, and no other', async () => {
  const web = await connect(WEB);
  expect(await ask(web, WEB)).toMatchObject({ status: 201, body: { execution: expect.any(String) } });
  const other = await connect(OTHER);
  expect(await ask(other, WEB)).toMatchObject({ status: 401, body: { code: 'identity.mismatch' } });
  // A token speaks for the call, whoever’s connection brings it; a request that brings half of it is refused.
  const proxy = await connect(OTHER);
  const audience = domain.home.audience('fs');
  const { wit, privateKey } = issuer.issueWit(WEB, day());
  const prove = (pop: string) => ({
    wit,
    wpt: createWorkloadProof({ wit, privateKey, audience, pop, nowSeconds: nowSeconds() }),
  });
  expect(await ask(proxy, WEB, prove)).toMatchObject({ status: 201 });
  const fourth = await connect(WEB);
  expect(await ask(fourth, WEB, () => ({ wit }))).toMatchObject({ body: { code: 'identity.mismatch' } });
  for (const session of [web, other, proxy, fourth]) if (session instanceof TestSession) session.close();
});

test('who is of no trust domain that is known, or no more, is not even connected', async () => {
  // The same names, by somebody else’s authority.
  expect(await connect(WEB, DevelopmentIssuer.create(PROD, day()))).toBe(401);
  expect(await connect(WEB, issuer, { nowSeconds: nowSeconds() - 600, ttlSeconds: 300 })).toBe(401);
});

test('a bundle is replaced by newer ones alone, and stands where its file is spoilt', async () => {
  const { file } = config.workloads.trustBundles[0] ?? { file: '' };
  const trust = new WorkloadTrust(config.workloads, logger);
  const digest = () => trust.current.get(PROD)?.digest;
  await trust.start();
  try {
    const first = trust.current;
    trust.refresh();
    expect(trust.current).toBe(first);
    writeBundle('prod.json', issuer.bundle(5));
    trust.refresh();
    const fifth = digest();
    expect(trust.current.get(PROD)?.sequence).toBe(5);
    for (const spoilt of [issuer.bundle(4), { ...issuer.bundle(5), more: 1 }, { keys: 'none' }]) {
      writeBundle('prod.json', spoilt);
      trust.refresh();
      expect(digest()).toBe(fifth);
    }
    writeBundle('prod.json', issuer.bundle(6));
    chmodSync(file, 0o666);
    trust.refresh();
    expect(digest()).toBe(fifth);
    const again = new WorkloadTrust(config.workloads, logger);
    await expect(again.start()).rejects.toThrow(/others can write it/);
    chmodSync(file, 0o644);
  } finally {
    trust.close();
  }
});
