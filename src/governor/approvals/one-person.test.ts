import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestApprover } from '../../../test/support/test-approver.ts';
import { must, nowSeconds, TestDomain, WRITE } from '../../../test/support/trust-domain.ts';
import { digestOf } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { GOVERNANCE_EVENT } from '../../governance/index.ts';
import {
  type DecisionReceipt,
  parseDecisionReceipt,
  serializeReceipt,
  type WorkloadFacts,
} from '../../receipt/index.ts';
import { openSqliteLogReader } from '../../storage/index.ts';
import {
  type ApprovalRequest,
  ApprovalRequests,
  issueArtifact,
  openGovernanceFollower,
  readEvidenceKey,
  replayLog,
} from '../index.ts';
import type { OpenedGovernor } from '../open.ts';
import { findOwnRequest, requestOfReceipt } from './approval-request.ts';
import { recordApproval, recordReview, reviewStatementFor, statementFor } from './sign-off.ts';

const POLICY = '@approval("operator:2") permit (principal, action, resource);';

let domain: TestDomain;
let opened: OpenedGovernor;
/** Of `user/…`; `token` is enrolled as `caller/Ada`. */
let ada: TestApprover;
let bob: TestApprover;
let cleo: TestApprover;
let token: TestApprover;
const by = (actor = 'test') => ({ actor, atSeconds: nowSeconds() });
const caller = (name: string) => `spiffe://test.local/caller/${name}`;

beforeAll(async () => {
  domain = await TestDomain.create(POLICY);
  opened = await domain.open();
  const enrolled = (name: string) => TestApprover.enrolled(domain.home, name, 'operator', 'break-glass');
  [ada, bob, cleo] = [await enrolled('ada'), await enrolled('bob'), await enrolled('cleo')];
  token = new TestApprover(caller('Ada'));
  await token.enroll(domain.home, 'operator');
});
afterAll(async () => {
  await opened?.close();
  domain?.dispose();
});

/** @param asked who the artifact says asks. */
const artifactOf = (asked: string) => [domain.issue({ writ: { initiator: { id: asked, kind: 'human' } } })];

async function call(chain: readonly string[]): Promise<{ code: string; ran: boolean; id: string }> {
  let ran = false;
  const outcome = await opened.governor.run(domain.call(chain, { audience: opened.audience }), async () => {
    ran = true;
    return { status: 'succeeded', value: 1 };
  });
  await opened.governor.settle();
  const code = outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
  return { code, ran, id: outcome.executionId };
}

function requestOf(id: string): ApprovalRequest {
  const follower = must(openGovernanceFollower(domain.home));
  follower.close();
  const requests = must(ApprovalRequests.open(domain.home));
  try {
    return must(requests.find(id, follower.view.state, Date.now()));
  } finally {
    requests.close();
  }
}

/** What an approver says, as the commands and the API have it; or past their checks, into the log itself. */
async function say(id: string, approver: TestApprover, decision: 'approve' | 'reject', isForced = false) {
  const request = requestOf(id);
  const verdict = { approver: (isForced ? cleo : approver).subject, role: 'operator', decision };
  const statement = statementFor(domain.home, request, verdict, nowSeconds());
  if (isDenial(statement)) return statement.detail;
  const said = { ...statement, approver: approver.subject };
  const refused = await recordApproval(domain.home, said, approver.sign(said), by());
  return refused?.detail ?? 'recorded';
}

const DENIED = { code: 'approval.required', ran: false };
const PERMITTED = { code: 'permit', ran: true };
let bothNames = '';

it('who asks as a caller does not approve as the account of that name, nor in other letters', async () => {
  for (const [asked, own] of [
    [caller('ada'), ada],
    [ada.subject, token],
  ] as const) {
    const chain = artifactOf(asked);
    const { id } = await call(chain);
    expect(await say(id, own, 'approve')).toMatch(/asks for this action, or issued its artifact, as .*ada/);
    expect(await say(id, own, 'approve', true)).toBe('recorded');
    expect(await say(id, bob, 'approve')).toBe('recorded');
    const denied = await call(chain);
    expect(denied).toMatchObject(DENIED);
    bothNames ||= denied.id;
    expect(requestOf(id)).toMatchObject({ status: 'open', missing: [{ role: 'operator', people: 1 }] });
    expect(await say(id, cleo, 'approve')).toBe('recorded');
    expect(await call(chain)).toMatchObject(PERMITTED);
  }
});

it('the two names of an approver are one of the people that a rule asks for', async () => {
  const chain = artifactOf(caller('dora'));
  const { id } = await call(chain);
  for (const approver of [ada, token]) expect(await say(id, approver, 'approve')).toBe('recorded');
  expect(await call(chain)).toMatchObject(DENIED);
  expect(await say(id, bob, 'approve')).toBe('recorded');
  expect(await call(chain)).toMatchObject(PERMITTED);
});

it('who had an artifact issued for somebody else does not approve what is done under it', async () => {
  const initiator = { id: 'spiffe://test.local/user/dora', kind: 'human' } as const;
  for (const [issuer, own] of [
    [ada.subject, ada],
    [caller('ada'), ada],
  ] as const) {
    const grant = {
      ...{ holder: domain.agent.publicKey, tools: { [WRITE]: {} }, audiences: [domain.home.audience('fs')] },
      ...{ iatSeconds: nowSeconds(), expSeconds: nowSeconds() + 3600, writ: { initiator } },
    };
    const chain = [must(await issueArtifact(domain.home, grant, by(issuer))).compact];
    const { id } = await call(chain);
    expect(await say(id, own, 'approve')).toMatch(/issued its artifact/);
    expect(await say(id, own, 'approve', true)).toBe('recorded');
    expect(await say(id, bob, 'approve')).toBe('recorded');
    expect(await call(chain)).toMatchObject(DENIED);
    // To be one person takes consent away, and nothing else.
    expect(await say(id, own, 'reject')).toBe('recorded');
    expect(await call(chain)).toMatchObject({ code: 'approval.rejected', ran: false });
  }
});

it('who broke the glass does not review that under another name; what was recorded before stands', async () => {
  const { id } = await call(artifactOf(caller('dora')));
  const verdict = {
    ...{ approver: ada.subject, role: 'break-glass', decision: 'approve' as const },
    reason: 'incident 17',
  };
  const broken = must(statementFor(domain.home, requestOf(id), verdict, nowSeconds()));
  expect(await recordApproval(domain.home, broken, ada.sign(broken), by())).toBeUndefined();
  const reviewBy = (approver: TestApprover) => {
    const said = { nonce: broken.nonce, reviewer: approver.subject, finding: 'justified' };
    const statement = reviewStatementFor(domain.home, said, nowSeconds());
    return { statement, signature: approver.sign(statement) };
  };
  const state = () => {
    const follower = must(openGovernanceFollower(domain.home));
    follower.close();
    return follower.view.state;
  };
  const waiting = (of = state()) => of.approvals.unreviewed.map(({ statement }) => statement.nonce);
  const own = reviewBy(token);
  expect(await recordReview(domain.home, own.statement, own.signature, by())).toMatchObject({
    detail: expect.stringMatching(/as .*user\/ada, does not review it/),
  });
  expect(waiting()).toEqual([broken.nonce]);
  const event = {
    type: GOVERNANCE_EVENT,
    event: 'approval.reviewed',
    at: nowSeconds(),
    actor: 'test',
  } as const;
  expect(waiting(state().apply({ ...event, ...own }))).toEqual([]);
  const others = reviewBy(bob);
  expect(await recordReview(domain.home, others.statement, others.signature, by())).toBeUndefined();
  expect(waiting()).toEqual([]);
});

it('the workload that called does not approve: its consent is not shown as one that counts', async () => {
  const { id } = await call(artifactOf(caller('dora')));
  for (const approver of [ada, bob]) expect(await say(id, approver, 'approve')).toBe('recorded');
  const { log, index, receipt } = requestOf(id);
  const workload: WorkloadFacts = {
    ...{ id: bob.subject, kind: 'wit-svid', expSeconds: nowSeconds() + 60 },
    ...{ credential: digestOf('token'), bundle: digestOf('bundle') },
  };
  const follower = must(openGovernanceFollower(domain.home));
  follower.close();
  const reader = openSqliteLogReader(domain.home.executionLogFolder('fs'));
  const asked = { log, index, receipt: { ...receipt, workload } };
  const request = requestOfReceipt(asked, reader, follower.view.state, Date.now());
  reader.close();
  if (request === undefined) throw new Error('no request');
  // As it is decided: spec/governance.md §5.
  expect(request).toMatchObject({ status: 'open', missing: [{ role: 'operator', people: 1 }] });
  expect(findOwnRequest(request, { approver: bob.subject, decision: 'approve' }, 'test.local')).toMatch(
    /asks for/,
  );
});

it('others of that name are others: in another trust domain, an agent, a longer path', async () => {
  for (const asked of ['spiffe://other.local/caller/ada', 'spiffe://test.local/agent/ada', caller('ada/x')]) {
    const chain = artifactOf(asked);
    const { id } = await call(chain);
    for (const approver of [ada, bob]) expect(await say(id, approver, 'approve')).toBe('recorded');
    expect(await call(chain), asked).toMatchObject(PERMITTED);
  }
});

it('what was decided before anybody looked at names comes out as it did then', async () => {
  const log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
  const governance = openSqliteLogReader(domain.home.governanceFolder);
  const evidenceKey = must(readEvidenceKey(domain.home.evidenceKeyFile));
  const replay = (change: (receipt: DecisionReceipt) => object = (receipt) => receipt) =>
    replayLog({
      log: {
        head: () => log.head(),
        lookup: (key) => log.lookup(key),
        inclusionProof: () => [],
        consistencyProof: () => [],
        read: (start: number, count: number) =>
          log.read(start, count).map((entry) => {
            const receipt = parseDecisionReceipt(entry);
            return isDenial(receipt) ? entry : serializeReceipt(change(receipt));
          }),
      },
      ...{ governance, evidenceKey },
      readEvidence: (address) => log.readEvidence(address, evidenceKey),
    });
  try {
    expect(await replay()).toMatchObject({ different: [], withheld: 0, lost: 0, undetermined: 0 });
    const follower = must(openGovernanceFollower(domain.home));
    follower.close();
    /** The denial, as the permit that it once would have been. */
    const once = (people?: 'same-name') => (receipt: DecisionReceipt) => {
      if (receipt.id !== bothNames || receipt.approvals === undefined) return receipt;
      const { action, required } = receipt.approvals;
      const given = follower.view.state
        .approvalsOf(action)
        .filter(({ statement }) => [ada.subject, bob.subject].includes(statement.approver))
        .map(({ statement: { nonce, approver, role, decision } }) => ({ nonce, approver, role, decision }))
        .sort((left, right) => (left.nonce < right.nonce ? -1 : 1));
      return {
        ...receipt,
        ...{ verdict: 'permit', code: undefined, detail: undefined },
        stages: { ...receipt.stages, approval: 'pass', replay: 'pass', record: 'pass' },
        approvals: { action, required, given, ...(people && { people }) },
      };
    };
    const differences = async (change: (receipt: DecisionReceipt) => object) =>
      (await replay(change)).different
        .filter(({ id }) => id === bothNames)
        .map(({ difference }) => difference);
    expect(await differences(once())).toEqual([]);
    expect(await differences(once('same-name'))).toEqual(['recorded permit, derived approval.required']);
  } finally {
    log.close();
    governance.close();
  }
});
