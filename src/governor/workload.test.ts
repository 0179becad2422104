import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must, nowSeconds, TestDomain } from '../../test/support/trust-domain.ts';
import type { WritClaim } from '../artifact/index.ts';
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
import { readEvidenceKey, replayLog } from './index.ts';
import type { OpenedGovernor } from './open.ts';

const WEB = 'spiffe://prod.example/ns/shop/web';
const OTHER = 'spiffe://prod.example/ns/shop/other';
const issuer = DevelopmentIssuer.create('prod.example', { nowSeconds: nowSeconds(), ttlSeconds: 86_400 });
const hour = () => ({ nowSeconds: nowSeconds(), ttlSeconds: 3600 });
const bundle = (json = issuer.bundle()): TrustBundle =>
  must(parseTrustBundle('prod.example', canonicalize(json)));

let domain: TestDomain;
let opened: OpenedGovernor;
const trustBundles: TrustBundles = new Map([['prod.example', bundle()]]);
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
