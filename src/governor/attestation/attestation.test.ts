import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { haveSwtpm, type Swtpm, startSwtpm } from '../../../test/support/swtpm.ts';
import { must, nowSeconds, TestDomain } from '../../../test/support/trust-domain.ts';
import { isDenial } from '../../denial/index.ts';
import { measurementOf, type TpmRecord } from '../../environment/index.ts';
import { readKeyFile } from '../../key/index.ts';
import { parseDecisionReceipt } from '../../receipt/index.ts';
import { openSqliteLogReader } from '../../storage/index.ts';
import { noteVerifier } from '../../tlog/index.ts';
import type { Clock } from '../clock.ts';
import {
  appendGovernance,
  EnforcementPoint,
  openGovernanceFollower,
  readEvidenceKey,
  replayLog,
  verifyEvidence,
} from '../index.ts';
import type { OpenedGovernor } from '../open.ts';
import { tpmQuoteSource } from './attester-file.ts';
import { enrollTpm, type TpmEnrollment } from './enroll-tpm.ts';
import type { QuoteSource } from './session-quotes.ts';

const HANDLE = '0x81015700';
const TOO_LOW = 'environment.assurance_too_low';

describe.skipIf(!haveSwtpm())('with a TPM', () => {
  let tpm: Swtpm;
  let domain: TestDomain;
  let opened: OpenedGovernor;
  let record: TpmRecord;
  let enrollment: TpmEnrollment;
  let source: QuoteSource;
  /** What the enforcement point is given in place of a fresh quote. */
  let replayed: Awaited<ReturnType<QuoteSource['quote']>> | undefined;
  let last: typeof replayed;
  /** How often it has answered. */
  let answered = 0;
  let aheadMs = 0;
  const clock: Clock = {
    wallMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
  };

  beforeAll(async () => {
    tpm = await startSwtpm();
    domain = await TestDomain.create(undefined, { name: 'lab.test' });
    enrollment = {
      ...{ tcti: tpm.tcti, handle: HANDLE, pcrs: [0, 1, 7], boot: 'exact', maxAgeSeconds: 60 },
      ...{ roots: [tpm.root], intermediates: [tpm.intermediate], nowMs: Date.now() },
      allowsSimulator: true,
    };
    record = must(await enrollTpm(enrollment));
    must(await enroll(record));
    const tools = tpmQuoteSource({ name: 'lab', tcti: tpm.tcti, handle: HANDLE });
    source = {
      name: 'lab',
      quote: async (pcrs, data) => {
        last = replayed ?? (await tools.quote(pcrs, data));
        answered += 1;
        return last;
      },
    };
    opened = await domain.open({ quoteSource: source, clock });
  }, 120_000);

  afterAll(async () => {
    await opened?.close();
    domain?.dispose();
    tpm?.stop();
  });

  function enroll(tpmRecord: TpmRecord, home = domain.home) {
    const { digest, components } = measurementOf([], 'self', 0);
    const at = nowSeconds();
    return appendGovernance(home, [
      { event: 'environment.enrolled', at, actor: 'test', name: 'lab', digest, components, tpm: tpmRecord },
    ]);
  }

  async function begin(environment: object) {
    const outcome = await opened.governor.begin(
      domain.call([domain.issue({ writ: { environment } })], { audience: opened.audience, clock }),
    );
    if (outcome.verdict === 'deny') throw new Error(outcome.denial.detail);
    return outcome;
  }

  async function run(
    environment: object,
    at: Pick<OpenedGovernor, 'governor' | 'audience'> = opened,
    audiences = [domain.home.audience('fs')],
  ) {
    let runs = 0;
    const outcome = await at.governor.run(
      domain.call([domain.issue({ writ: { environment }, audiences })], { audience: at.audience, clock }),
      async () => {
        runs += 1;
        return { status: 'succeeded', value: 'done', evidence: Buffer.from('result') };
      },
    );
    const { executionId } = outcome;
    return outcome.verdict === 'permit'
      ? { answer: 'permit', runs, executionId }
      : { answer: outcome.denial.code, detail: outcome.denial.detail, runs, executionId };
  }

  it('permits what demands a TPM, and not what demands more', async () => {
    expect(record).toMatchObject({ simulator: true, boot: 'exact' });
    expect(await run({ assurance: 'tpm' })).toMatchObject({ answer: 'permit', runs: 1 });
    expect(await run({ assurance: 'tpm', quoteFor: 'artifact' })).toMatchObject({
      answer: 'permit',
      runs: 1,
    });
    expect(await run({ assurance: 'tee' })).toMatchObject({
      ...{ answer: TOO_LOW, detail: expect.stringMatching(/^assurance is tpm, tee is required/), runs: 0 },
    });
    // A quote says nothing of the process, and in its own process nobody looks at it from outside.
    expect(await run({ assurance: 'supervisor' })).toMatchObject({
      ...{ answer: TOO_LOW, detail: expect.stringContaining('no supervisor started this process'), runs: 0 },
    });
  });

  it('derives the decisions again from the log, and from a bundle alone', async () => {
    await opened.governor.settle();
    const evidenceKey = must(readEvidenceKey(domain.home.evidenceKeyFile));
    const log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
    const governance = openSqliteLogReader(domain.home.governanceFolder);
    const readEvidence = (address: string) => log.readEvidence(address, evidenceKey);
    const report = await replayLog({ log, governance, readEvidence, evidenceKey });
    const decisions = [...log.read(0, log.head().size)]
      .map((entry) => parseDecisionReceipt(entry))
      .filter((receipt) => !isDenial(receipt));
    log.close();
    governance.close();
    expect(report).toMatchObject({ same: decisions.length, different: [], withheld: 0 });
    expect(decisions.map((receipt) => !isDenial(receipt) && receipt.environment?.assurance)).toEqual([
      ...['tpm', 'tpm', 'tpm', 'tpm'],
    ]);
    const { home } = domain;
    const key = must(readKeyFile(home.logKeyFile('fs'))).publicKey;
    const bundle = await domain.bundle(decisions.map((receipt) => must(receipt).id)[0] ?? '');
    const verified = verifyEvidence(JSON.stringify(bundle), {
      logs: [noteVerifier(home.executionOrigin('fs'), key)],
    });
    expect(verified).toMatchObject({ verified: true, executions: [{ rederived: 'same' }] });
  });

  it('takes no quote that answers another nonce, and none for a runtime that may be elsewhere', async () => {
    replayed = last;
    const other = await domain.open({ quoteSource: source, name: 'web', clock });
    const audiences = [domain.home.audience('web')];
    const denied = { answer: TOO_LOW, runs: 0 };
    expect(await run({ assurance: 'tpm' }, other, audiences)).toMatchObject({
      ...denied,
      detail: expect.stringContaining('answers another nonce'),
    });
    replayed = undefined;
    await other.close();

    const follower = must(openGovernanceFollower(domain.home, clock));
    const options = { home: domain.home, name: 'far', clock, follower, quoteSource: source };
    const point = must(await EnforcementPoint.open(options));
    const session = point.openSession([], nowSeconds());
    const { governor } = session;
    const far = [domain.home.audience('far')];
    expect(await run({ assurance: 'tpm' }, { governor, audience: point.audience }, far)).toMatchObject(
      denied,
    );
    await session.end();
    await point.close();
    follower.close();
  });

  it('refuses a TPM nobody vouches for, PCRs anybody can reset, and simulators where something is at stake', async () => {
    expect(await enrollTpm({ ...enrollment, allowsSimulator: false })).toMatchObject({
      ...{ code: 'environment.unmeasured', detail: expect.stringContaining('is a program') },
    });
    expect(await enrollTpm({ ...enrollment, roots: [] })).toMatchObject({
      ...{ code: 'environment.unmeasured', detail: expect.stringContaining('does not lead to a root') },
    });
    expect(await enrollTpm({ ...enrollment, pcrs: [0, 16] })).toSatisfy(isDenial);
    const serious = await TestDomain.create(undefined, { name: 'bank.local' });
    expect(await enroll(record, serious.home)).toMatchObject({ code: 'request.malformed' });
    serious.dispose();
  });

  it('renews the quotes of artifacts for which something runs, and of no others', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const renewing = await domain.open({ quoteSource: source, name: 'renew', clock });
    // The last one that was set to half of what a quote counts for.
    const [ring] = timers.mock.calls.findLast(([, ms]) => ms === 30_000) ?? [];
    timers.mockRestore();
    const { audience, governor } = renewing;
    const writ = { environment: { assurance: 'tpm', quoteFor: 'artifact' } } as const;
    const artifacts = [1, 2].map(() => domain.issue({ writ, audiences: [domain.home.audience('renew')] }));
    const start = async (at: number) => {
      const begun = await governor.begin(domain.call([artifacts[at] ?? ''], { audience, clock }));
      if (begun.verdict === 'deny') throw new Error(begun.denial.detail);
      return begun;
    };
    const pass = async (seconds: number) => {
      aheadMs += seconds * 1000;
      await governor.reverify();
    };
    try {
      const running = await start(0);
      (await start(1)).conclude({ status: 'succeeded' });
      const before = answered;
      await pass(30);
      ring?.();
      await vi.waitFor(() => expect(answered).toBe(before + 2), 10_000);
      await pass(40);
      expect(running.signal.aborted).toBe(false);
      // One for the environment and one for what runs.
      expect(answered).toBe(before + 2);

      // What begins by a quote that is old already does not have to wait until all are renewed.
      const later = await start(0);
      await vi.waitFor(() => expect(answered).toBe(before + 3), 10_000);
      await pass(50);
      expect([running, later].map(({ signal }) => signal.aborted)).toEqual([false, false]);

      // Without another one they are stopped in their time.
      await pass(20);
      for (const { signal } of [running, later]) expect(signal.reason).toMatchObject({ code: TOO_LOW });
    } finally {
      await renewing.close();
    }
  }, 30_000);

  it('stops what runs when the TPM says otherwise than it did, and permits it no more', async () => {
    const running = await begin({ assurance: 'tpm' });
    const lesser = await begin({ assurance: 'self' });
    const stopped = new Promise((resolve) => running.signal.addEventListener('abort', resolve));
    tpm.extend(7);
    aheadMs += 2000;
    expect(await run({ assurance: 'tee' })).toMatchObject({ answer: TOO_LOW });
    await stopped;
    expect(running.signal.reason).toMatchObject({ code: TOO_LOW });
    expect(lesser.signal.aborted).toBe(false);
    expect(await run({ assurance: 'tpm' })).toMatchObject({
      ...{ answer: TOO_LOW, detail: expect.stringContaining('PCRs are not as they were enrolled'), runs: 0 },
    });
    for (const execution of [running, lesser]) execution.conclude({ status: 'succeeded' });
  });
});
