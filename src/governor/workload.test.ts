import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must, nowSeconds, TestDomain } from '../../test/support/trust-domain.ts';
import { deriveToken, type WritClaim } from '../artifact/index.ts';
import { canonicalize } from '../codec/index.ts';
import type { Action } from '../decision/index.ts';
import { isDenial } from '../denial/index.ts';
import { readKeyFile, SigningKey } from '../key/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { noteVerifier } from '../tlog/index.ts';
import {
  createWorkloadProof,
  DevelopmentIssuer,
  parseTrustBundle,
  type TrustBundle,
  type TrustBundles,
} from '../workload/index.ts';
import { verifyEvidence } from './evidence/verify-evidence.ts';
import { readEvidenceKey, replayLog, revoke } from './index.ts';
import type { OpenedGovernor } from './open.ts';

const WEB = 'spiffe://prod.example/ns/shop/web';
const OTHER = 'spiffe://prod.example/ns/shop/other';
const issuer = DevelopmentIssuer.create('prod.example', { nowSeconds: nowSeconds(), ttlSeconds: 86_400 });
const hour = () => ({ nowSeconds: nowSeconds(), ttlSeconds: 3600 });
const bundle = (json = issuer.bundle()): TrustBundle =>
  must(parseTrustBundle('prod.example', canonicalize(json)));

let domain: TestDomain;
let opened: OpenedGovernor;
let trustBundles: TrustBundles = new Map([['prod.example', bundle()]]);
/** Holds the artifact, and is enrolled for nobody. */
const holder = SigningKey.generate();

beforeAll(async () => {
  domain = await TestDomain.create();
  opened = await domain.open({ trustBundles: () => trustBundles });
});
afterAll(async () => {
  await opened.close();
  domain.dispose();
});

function call(writ: WritClaim, more: Partial<Action> = {}): Action {
  const chain = [domain.issue({ holder: holder.publicKey, writ })];
  return { ...domain.call(chain, { audience: opened.audience, signer: holder }), ...more };
}

/** Adds the token of a workload, and the proof that the caller is the one. */
function withWit(
  action: Action,
  id: string,
  change: Partial<Parameters<typeof createWorkloadProof>[0]> = {},
): Action {
  const { presentation } = action;
  if (presentation === undefined || isDenial(presentation)) throw new Error('nothing is presented');
  const { wit, privateKey } = issuer.issueWit(id, hour());
  const { audience } = opened;
  const wpt = createWorkloadProof({
    ...{ wit, privateKey, audience, pop: presentation.aat_pop, nowSeconds: nowSeconds() },
    ...change,
  });
  return { ...action, presentation: { ...presentation, wit, wpt } };
}

function verifierOfLog() {
  const { home } = domain;
  return noteVerifier(home.executionOrigin('fs'), must(readKeyFile(home.logKeyFile('fs'))).publicKey);
}

/** Derives every decision so far again, from the log and its evidence. */
async function replay() {
  const { home } = domain;
  const log = openSqliteLogReader(home.executionLogFolder('fs'));
  const governance = openSqliteLogReader(home.governanceFolder);
  const evidenceKey = must(readEvidenceKey(home.evidenceKeyFile));
  try {
    const readEvidence = (address: string) => log.readEvidence(address, evidenceKey);
    return await replayLog({ log, governance, evidenceKey, readEvidence });
  } finally {
    log.close();
    governance.close();
  }
}

async function run(action: Action): Promise<{ code: string; ran: boolean; id: string }> {
  let ran = false;
  const outcome = await opened.governor.run(action, async () => {
    ran = true;
    return { status: 'succeeded', value: undefined };
  });
  return {
    code: outcome.verdict === 'permit' ? 'permit' : outcome.denial.code,
    ran,
    id: outcome.executionId,
  };
}

const initiated: WritClaim = { initiator: { id: WEB, kind: 'workload' } };

describe('an artifact that names a workload', () => {
  test('permits the workload that proves to be it, by certificate or by token', async () => {
    const { certificates } = issuer.issueX509(WEB, hour());
    expect(await run(call(initiated, { peerCertificates: certificates }))).toMatchObject({
      code: 'permit',
      ran: true,
    });
    expect(await run(withWit(call(initiated), WEB))).toMatchObject({ code: 'permit', ran: true });
  });

  test('denies everybody else, and nothing runs', async () => {
    const { certificates } = issuer.issueX509(OTHER, hour());
    for (const action of [
      call(initiated),
      call(initiated, { peerCertificates: certificates }),
      withWit(call(initiated), OTHER),
    ]) {
      expect(await run(action)).toMatchObject({ code: 'identity.mismatch', ran: false });
    }
  });

  test('says in the receipt who called and how that is known, and anybody can derive it again', async () => {
    const { id } = await run(withWit(call(initiated), WEB));
    const { executions } = await domain.bundle(id);
    const receipt = JSON.parse(Buffer.from(executions[0]?.decision.entry ?? '', 'base64').toString());
    expect(receipt.workload).toMatchObject({ id: WEB, kind: 'wit-svid', bundle: bundle().digest });
    const { certificates } = issuer.issueX509(WEB, hour());
    const byCertificate = await run(call(initiated, { peerCertificates: certificates }));
    const denied = await run(
      call(initiated, { peerCertificates: issuer.issueX509(OTHER, hour()).certificates }),
    );
    for (const execution of [id, byCertificate.id, denied.id]) {
      const bundled = await domain.bundle(execution);
      const report = verifyEvidence(JSON.stringify(bundled), { logs: [verifierOfLog()] });
      expect(report).toMatchObject({ problems: [], verified: true, executions: [{ rederived: 'same' }] });
    }
    expect(await replay()).toMatchObject({ different: [], withheld: 0 });
  });
});

describe('who would pass for a workload', () => {
  const named: WritClaim = { workload: WEB };

  test('shows a token without its proof, or the proof of another call, or proof and token of two', async () => {
    const seen = withWit(call(initiated), WEB);
    const { presentation } = seen;
    if (presentation === undefined || isDenial(presentation)) throw new Error('nothing is presented');
    const { wit = '', wpt = '' } = presentation;
    const other = issuer.issueWit(WEB, hour()).wit;
    for (const shown of [
      { wit },
      { wpt },
      { wit: '', wpt: '' },
      { wit, wpt },
      { wit: other, wpt },
      { wit: wpt, wpt: wit },
    ]) {
      const fresh = call(initiated);
      if (fresh.presentation === undefined || isDenial(fresh.presentation)) throw new Error('nothing');
      const action = { ...fresh, presentation: { ...fresh.presentation, ...shown } };
      expect(await run(action), JSON.stringify(Object.keys(shown))).toMatchObject({
        code: 'identity.mismatch',
        ran: false,
      });
    }
    // The call that they are of, and that once.
    expect(await run(seen)).toMatchObject({ code: 'permit', ran: true });
    expect(await run(seen)).toMatchObject({ code: 'replay.detected', ran: false });
  });

  test('has the certificate of the connection, and a token that does not hold', async () => {
    const { certificates: peerCertificates } = issuer.issueX509(WEB, hour());
    const stranger = DevelopmentIssuer.create('prod.example', hour()).issueWit(WEB, hour());
    const action = withWit(call(initiated, { peerCertificates }), WEB, stranger);
    expect(await run(action)).toMatchObject({ code: 'identity.mismatch', ran: false });
    // Nor where the artifact asks for no workload: what is shown holds, or the call does not.
    expect(await run(withWit(call({}), WEB, stranger))).toMatchObject({
      code: 'identity.mismatch',
      ran: false,
    });
  });

  test('holds an artifact whose other tokens name the workload', async () => {
    const worker = SigningKey.generate();
    const chainOf = (root: WritClaim, leaf: WritClaim) => {
      const parent = domain.issue({ holder: holder.publicKey, writ: root });
      const child = must(
        deriveToken({
          ...{ parent, signer: holder, holder: worker.publicKey, writ: leaf },
          ...{ iatSeconds: nowSeconds(), expSeconds: nowSeconds() + 60 },
        }),
      );
      return domain.call([parent, child], { audience: opened.audience, signer: worker });
    };
    expect(await run(withWit(chainOf({}, named), WEB))).toMatchObject({ code: 'permit', ran: true });
    for (const action of [
      chainOf({}, named),
      withWit(chainOf({}, named), OTHER),
      withWit(chainOf(named, {}), OTHER),
      withWit(chainOf(named, { workload: OTHER }), OTHER),
      withWit(chainOf(named, { workload: OTHER }), WEB),
      // The initiator would have to hold the root token, and somebody else’s key calls.
      withWit(chainOf(initiated, {}), WEB),
    ]) {
      expect(await run(action)).toMatchObject({ code: 'identity.mismatch', ran: false });
    }
  });

  test('is one whose subject, or whose authority, is not trusted any more', async () => {
    const { certificates: peerCertificates } = issuer.issueX509(WEB, hour());
    const begun = await opened.governor.begin(call(initiated, { peerCertificates }));
    const other = await opened.governor.begin(withWit(call({ workload: OTHER }), OTHER));
    if (begun.verdict === 'deny' || other.verdict === 'deny') throw new Error('not begun');
    const before = trustBundles;
    // Rotated, with the same authorities: nothing is stopped.
    trustBundles = new Map([['prod.example', bundle(issuer.bundle(2))]]);
    await opened.governor.reverify();
    expect([begun.signal.aborted, other.signal.aborted]).toEqual([false, false]);
    const { keys } = issuer.bundle(3) as { keys: { use: string }[] };
    trustBundles = new Map([
      ['prod.example', bundle({ keys: keys.filter(({ use }) => use === 'wit-svid') as never })],
    ]);
    await opened.governor.reverify();
    expect([begun.signal.aborted, other.signal.aborted]).toEqual([true, false]);
    expect(begun.conclude({ status: 'succeeded' })?.code).toBe('identity.mismatch');
    expect(other.conclude({ status: 'succeeded' })).toBeUndefined();
    expect(await run(call(initiated, { peerCertificates }))).toMatchObject({
      code: 'identity.mismatch',
      ran: false,
    });
    trustBundles = before;
    const by = { actor: 'test', atSeconds: nowSeconds() };
    await revoke(domain.home, { handle: 'subject', value: OTHER }, by);
    expect(await run(withWit(call({}), OTHER))).toMatchObject({ code: 'revocation.revoked', ran: false });
    expect(await run(call({}))).toMatchObject({ code: 'permit', ran: true });
    expect(await replay()).toMatchObject({ different: [], withheld: 0 });
  });
});
