import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestApprover } from '../../../test/support/test-approver.ts';
import { must, nowSeconds, READ, TestDomain, testBundle, WRITE } from '../../../test/support/trust-domain.ts';
import type { JsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { ApprovalStatement, StatementSignature } from '../../governance/index.ts';
import { readKeyFile } from '../../key/index.ts';
import {
  type ApprovalsSeen,
  type DecisionReceipt,
  type EvidenceBundle,
  parseDecisionReceipt,
  serializeReceipt,
} from '../../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import { noteVerifier } from '../../tlog/index.ts';
import {
  type ApprovalRequest,
  ApprovalRequests,
  bundleExecution,
  openGovernanceFollower,
  publishPolicy,
  readEvidenceKey,
  replayLog,
  revoke,
  verifyEvidence,
} from '../index.ts';
import type { OpenedGovernor } from '../open.ts';
import { recordApproval, retireApprover, statementFor, type Verdict } from './sign-off.ts';

const POLICY = `
permit (principal, action in Writ::Action::"read", resource);
@approval("operator:2") permit (principal, action in Writ::Action::"write", resource);
`;

let domain: TestDomain;
let opened: OpenedGovernor;
let ada: TestApprover;
let bob: TestApprover;
let chain: readonly string[];
const by = () => ({ actor: 'test', atSeconds: nowSeconds() });

beforeAll(async () => {
  domain = await TestDomain.create(POLICY);
  opened = await domain.open();
  ada = await TestApprover.enrolled(domain.home, 'ada', 'operator', 'break-glass');
  bob = await TestApprover.enrolled(domain.home, 'bob', 'operator');
});

afterAll(async () => {
  await opened.close();
  domain.dispose();
});

/** Each test works on an artifact of its own, so that what is said about one action says nothing about another's. */
function renew(): void {
  chain = [domain.issue()];
}

let ran = 0;

async function call(args: JsonObject, at = opened, options: { chain?: readonly string[] } = {}) {
  const before = ran;
  const outcome = await at.governor.run(
    domain.call(options.chain ?? chain, { audience: at.audience, args }),
    async () => {
      ran += 1;
      return { status: 'succeeded', value: 1 };
    },
  );
  await at.governor.settle();
  const code = outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
  // What was permitted ran once, what was not did not.
  expect(ran - before).toBe(outcome.verdict === 'permit' ? 1 : 0);
  return { code, id: outcome.executionId };
}

function state() {
  const follower = must(openGovernanceFollower(domain.home));
  follower.close();
  return follower.view.state;
}

function requestOf(id: string): ApprovalRequest {
  const requests = must(ApprovalRequests.open(domain.home));
  try {
    return must(requests.find(id, state(), Date.now()));
  } finally {
    requests.close();
  }
}

function statement(id: string, approver: TestApprover, verdict: Partial<Verdict> = {}): ApprovalStatement {
  return must(
    statementFor(
      domain.home,
      requestOf(id),
      { approver: approver.subject, role: 'operator', decision: 'approve', ...verdict },
      nowSeconds(),
    ),
  );
}

async function record(said: ApprovalStatement, signature: StatementSignature): Promise<string> {
  const refused = await recordApproval(domain.home, said, signature, by());
  return refused?.detail ?? 'recorded';
}

async function approve(id: string, approver: TestApprover, verdict: Partial<Verdict> = {}): Promise<string> {
  const said = statement(id, approver, verdict);
  return record(said, approver.sign(said));
}

describe('an action that needs approval', () => {
  it('is denied, approved by two people, runs once, and is denied again', async () => {
    renew();
    const asked = await call({ path: '/once' });
    expect(asked.code).toBe('approval.required');
    expect(requestOf(asked.id)).toMatchObject({
      status: 'open',
      required: [{ role: 'operator', threshold: 2 }],
      given: [],
    });
    expect(await approve(asked.id, ada)).toBe('recorded');
    expect((await call({ path: '/once' })).code).toBe('approval.required');
    expect(await approve(asked.id, bob)).toBe('recorded');
    expect(requestOf(asked.id).status).toBe('approved');
    const permitted = await call({ path: '/once' });
    expect(permitted.code).toBe('permit');
    expect(requestOf(asked.id).status).toBe('used');
    const again = await call({ path: '/once' });
    expect(again.code).toBe('approval.required');
    // What was used is not approved again by whoever still has the old request open.
    const late = statementFor(
      domain.home,
      requestOf(asked.id),
      { approver: ada.subject, role: 'operator', decision: 'approve' },
      nowSeconds(),
    );
    expect(isDenial(late) && late.detail).toBe('the action has run: it has to be asked for again');
    await approve(again.id, ada);
    await approve(again.id, bob);
    expect((await call({ path: '/once' })).code).toBe('permit');
  });

  it('runs once, however many callers race for it', async () => {
    renew();
    const { id } = await call({ path: '/race' });
    await approve(id, ada);
    await approve(id, bob);
    let effects = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, () =>
        opened.governor.run(
          domain.call(chain, { audience: opened.audience, args: { path: '/race' } }),
          async () => {
            effects += 1;
            return { status: 'succeeded', value: 1 };
          },
        ),
      ),
    );
    const codes = outcomes.map((outcome) => (outcome.verdict === 'permit' ? 'permit' : outcome.denial.code));
    expect(effects).toBe(1);
    expect(codes.filter((code) => code === 'permit')).toHaveLength(1);
    expect(new Set(codes)).toEqual(new Set(['permit', 'approval.required']));
  });

  it('is listed once, however often it was asked for', async () => {
    renew();
    await call({ path: '/often' });
    const { id } = await call({ path: '/often' });
    const requests = must(ApprovalRequests.open(domain.home));
    const listed = must(await requests.list(state(), { nowMs: Date.now(), sinceMs: 0 }));
    const asked = listed.filter((request) => {
      const shown = requests.show(request);
      return shown.kind === 'whole' && shown.args.path === '/often';
    });
    requests.close();
    expect(asked.map((request) => request.id)).toEqual([id]);
  });

  it('leaves what needs none alone', async () => {
    renew();
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience, tool: READ }),
      async () => ({ status: 'succeeded', value: 1 }),
    );
    expect(outcome.verdict).toBe('permit');
  });
});

describe('an approval is bound', () => {
  const approved = async (path: string) => {
    renew();
    const { id } = await call({ path });
    await approve(id, ada);
    await approve(id, bob);
  };

  it('to these arguments', async () => {
    await approved('/bound');
    expect((await call({ path: '/bound', content: '' })).code).toBe('approval.required');
    expect((await call({ path: '/boundx' })).code).toBe('approval.required');
    expect((await call({ path: '/bound' })).code).toBe('permit');
  });

  it('to this artifact', async () => {
    await approved('/artifact');
    expect((await call({ path: '/artifact' }, opened, { chain: [domain.issue()] })).code).toBe(
      'approval.required',
    );
  });

  it('to this enforcement point: its twin has a memory of its own', async () => {
    await approved('/twin');
    const twin = await domain.open();
    try {
      expect(twin.audience).not.toBe(opened.audience);
      expect((await call({ path: '/twin' }, twin)).code).toBe('approval.required');
      expect((await call({ path: '/twin' })).code).toBe('permit');
      expect((await call({ path: '/twin' }, twin)).code).toBe('approval.required');
    } finally {
      await twin.close();
    }
  });

  it('to this policy', async () => {
    await approved('/policy');
    must(await publishPolicy(domain.home, testBundle(`${POLICY} // other`), by()));
    expect((await call({ path: '/policy' })).code).toBe('approval.required');
    must(await publishPolicy(domain.home, testBundle(POLICY), by()));
    expect((await call({ path: '/policy' })).code).toBe('permit');
  });
});

describe('nothing is approved', () => {
  it('by the same person twice', async () => {
    renew();
    const { id } = await call({ path: '/twice' });
    expect(await approve(id, ada)).toBe('recorded');
    expect(await approve(id, ada)).toBe('recorded');
    expect((await call({ path: '/twice' })).code).toBe('approval.required');
  });

  it('by whoever asks, under any name or key', async () => {
    renew();
    const { home } = domain;
    const { id } = await call({ path: '/self' });
    // The agent's own subject, enrolled as an approver with another key.
    const self = new TestApprover(home.agent('worker'));
    await self.enroll(home, 'operator');
    const refused = statementFor(
      home,
      requestOf(id),
      { approver: self.subject, role: 'operator', decision: 'approve' },
      nowSeconds(),
    );
    expect(isDenial(refused) && refused.detail).toMatch(/asks for this action/);
    // Past the command line, straight into the log:
    const said = { ...statement(id, ada), approver: self.subject };
    expect(await record(said, self.sign(said))).toBe('recorded');
    await approve(id, bob);
    expect((await call({ path: '/self' })).code).toBe('approval.required');
    // The agent's own key, enrolled under another name.
    const { x } = domain.agent.publicKey.jwk;
    const text = `ssh-ed25519 ${Buffer.concat([
      Buffer.from([0, 0, 0, 11]),
      Buffer.from('ssh-ed25519'),
      Buffer.from([0, 0, 0, 32]),
      Buffer.from(x, 'base64url'),
    ]).toString('base64')}`;
    const { enrollApprover } = await import('./sign-off.ts');
    const other = {
      subject: home.person('mallory'),
      roles: ['operator'],
      key: { kind: 'ssh', key: text },
    } as const;
    expect((await enrollApprover(home, other, by()))?.detail).toMatch(/is, or was, an agent/);
  });

  it('by who is not enrolled in that role, or signs for another, or for another purpose', async () => {
    renew();
    const { home } = domain;
    const { id } = await call({ path: '/forged' });
    const stranger = new TestApprover(home.person('stranger'));
    const clerk = await TestApprover.enrolled(home, 'clerk', 'clerk');
    expect(await approve(id, stranger)).toMatch(/is not enrolled as an approver/);
    expect(await approve(id, clerk)).toMatch(/is not enrolled as operator/);
    const said = statement(id, ada);
    expect(await record(said, bob.sign(said))).toMatch(/made with another key/);
    expect(await record(said, ada.sign(said, { namespace: 'git' }))).toMatch(/made for another purpose/);
    expect(await record({ ...said, exp: said.exp + 1 }, ada.sign(said))).toMatch(/does not verify/);
    const foreign = { ...said, trustDomain: 'other.local' };
    expect(await record(foreign, ada.sign(foreign))).toMatch(/another trust domain/);
    const endless = { ...said, exp: said.nbf + 86_401 };
    expect(await record(endless, ada.sign(endless))).toMatch(/holds longer/);
    const past = { ...said, nbf: said.nbf - 100, exp: said.nbf };
    expect(await record(past, ada.sign(past))).toMatch(/does not hold now/);
    expect(await record(said, ada.sign(said))).toBe('recorded');
    expect(await record(said, ada.sign(said))).toMatch(/on record already/);
    expect((await call({ path: '/forged' })).code).toBe('approval.required');
  });

  it('by who was retired or revoked before it was used', async () => {
    renew();
    const { home } = domain;
    const { id } = await call({ path: '/retired' });
    const eve = await TestApprover.enrolled(home, 'eve', 'operator');
    const joe = await TestApprover.enrolled(home, 'joe', 'operator');
    await approve(id, eve);
    await approve(id, joe);
    expect(requestOf(id).status).toBe('approved');
    must(await retireApprover(home, { subject: eve.subject }, by()));
    expect((await call({ path: '/retired' })).code).toBe('approval.required');
    await approve(id, ada);
    expect(requestOf(id).status).toBe('approved');
    must(await revoke(home, { handle: 'subject', value: joe.subject, reason: 'left' }, by()));
    expect((await call({ path: '/retired' })).code).toBe('approval.required');
    expect(await approve(id, eve)).toMatch(/is not enrolled/);
  });

  it('after a rejection, whoever approves before or later', async () => {
    renew();
    const { id } = await call({ path: '/rejected' });
    await approve(id, ada);
    expect(await approve(id, bob, { decision: 'reject', reason: 'no' })).toBe('recorded');
    expect((await call({ path: '/rejected' })).code).toBe('approval.rejected');
    expect(requestOf(id).status).toBe('rejected');
    // Whoever rejected cannot take it back, and others cannot outvote it.
    const cal = await TestApprover.enrolled(domain.home, 'cal', 'operator');
    const said = { ...statement0(id), approver: cal.subject };
    expect(await record(said, cal.sign(said))).toBe('recorded');
    expect((await call({ path: '/rejected' })).code).toBe('approval.rejected');
  });

  it('once it has expired', async () => {
    renew();
    const { home } = domain;
    const clock = {
      offsetMs: 0,
      wallMs: () => Date.now() + clock.offsetMs,
      monotonicMs: () => performance.now(),
    };
    const later = await domain.open({ name: 'later', clock, maxStalenessSeconds: 1e9 });
    try {
      const own = [domain.issue({ audiences: [home.audience('later')] })];
      const run = async () => {
        const action = domain.call(own, { audience: later.audience, args: { path: '/e' }, clock });
        const outcome = await later.governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
        return {
          code: outcome.verdict === 'permit' ? 'permit' : outcome.denial.code,
          id: outcome.executionId,
        };
      };
      const { id } = await run();
      await approve(id, ada, { seconds: 60 });
      await approve(id, bob, { seconds: 60 });
      clock.offsetMs = 61_000;
      const late = await run();
      expect(late.code).toBe('approval.expired');
      expect(requestOf(late.id).status).toBe('approved');
      const requests = must(ApprovalRequests.open(home));
      const after = must(requests.find(late.id, state(), Date.now() + 1_000_000));
      requests.close();
      expect(after.status).toBe('expired');
      const refused = statementFor(
        home,
        after,
        { approver: ada.subject, role: 'operator', decision: 'approve' },
        nowSeconds(),
      );
      expect(isDenial(refused) && refused.code).toBe('approval.expired');
    } finally {
      await later.close();
    }
  });
});

/** A statement about a request that the command line would refuse to make. */
function statement0(id: string): ApprovalStatement {
  const request = requestOf(id);
  return must(
    statementFor(
      domain.home,
      { ...request, status: 'open' },
      { approver: ada.subject, role: 'operator', decision: 'approve' },
      nowSeconds(),
    ),
  );
}

describe('the record', () => {
  it('names who approved, in the receipt, and shows neither arguments nor a digest that could be guessed', async () => {
    renew();
    const asked = await call({ path: '/record' });
    await approve(asked.id, ada);
    await approve(asked.id, bob);
    const { id } = await call({ path: '/record' });
    const requests = must(ApprovalRequests.open(domain.home));
    const found = must(requests.find(asked.id, state(), Date.now()));
    expect(requests.show(found)).toEqual({ kind: 'whole', args: { path: '/record' } });
    expect(isDenial(requests.find(id, state(), Date.now()))).toBe(true);
    requests.close();
    const bundle = await domain.bundle(id);
    const entry = JSON.parse(Buffer.from(bundle.executions[0]?.decision.entry ?? '', 'base64').toString());
    expect(entry.approvals.action).toMatch(/^salted-sha256:/);
    expect(entry.approvals.given.map(({ approver }: { approver: string }) => approver).sort()).toEqual([
      ada.subject,
      bob.subject,
    ]);
    expect(JSON.stringify(found.receipt)).not.toContain('/record');
    expect(entry.tool).toBe(WRITE);
  });
});

describe('derived again', () => {
  let log: SqliteLogReader;
  let governance: SqliteLogReader;
  const ids: Record<'asked' | 'partly' | 'permitted' | 'again', string> = {
    ...{ asked: '', partly: '', permitted: '', again: '' },
  };

  beforeAll(async () => {
    renew();
    ids.asked = (await call({ path: '/replay' })).id;
    await approve(ids.asked, ada);
    ids.partly = (await call({ path: '/replay' })).id;
    await approve(ids.asked, bob);
    ids.permitted = (await call({ path: '/replay' })).id;
    ids.again = (await call({ path: '/replay' })).id;
    log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
    governance = openSqliteLogReader(domain.home.governanceFolder);
  });
  afterAll(() => {
    log.close();
    governance.close();
  });

  const replay = (change: (receipt: DecisionReceipt) => object = (receipt) => receipt) => {
    const evidenceKey = must(readEvidenceKey(domain.home.evidenceKeyFile));
    const read = (start: number, count: number) =>
      log.read(start, count).map((entry) => {
        const receipt = parseDecisionReceipt(entry);
        return isDenial(receipt) ? entry : serializeReceipt(change(receipt));
      });
    return replayLog({
      log: {
        read,
        head: () => log.head(),
        lookup: (key) => log.lookup(key),
        inclusionProof: () => [],
        consistencyProof: () => [],
      },
      ...{ governance, evidenceKey },
      readEvidence: (address) => log.readEvidence(address, evidenceKey),
    });
  };
  const differencesWith = async (id: string, change: (seen: ApprovalsSeen) => object) => {
    const { different } = await replay((receipt) =>
      receipt.id === id && receipt.approvals ? { ...receipt, approvals: change(receipt.approvals) } : receipt,
    );
    return different.filter((one) => one.id === id).map(({ difference }) => difference);
  };

  it('every decision of this log comes out the same: asked, partly approved, permitted, raced for, spent', async () => {
    const report = await replay();
    expect(report).toMatchObject({ differences: 0, different: [], withheld: 0, lost: 0, undetermined: 0 });
    expect(report.same).toBeGreaterThan(30);
  });

  it('a permit on an approval that was spent, or on one that nobody gave, comes out otherwise', async () => {
    const given = async (id: string) => {
      const requests = must(openSqliteLogReader(domain.home.executionLogFolder('fs')));
      const [index = -1] = requests.lookup(`execution:${id}`);
      const receipt = must(parseDecisionReceipt(requests.read(index, 1)[0] ?? new Uint8Array()));
      requests.close();
      return receipt.approvals?.given ?? [];
    };
    const spent = await given(ids.permitted);
    expect(spent).toHaveLength(2);
    // The next one claims to have had them, too.
    expect(await differencesWith(ids.again, (seen) => ({ ...seen, given: spent }))).toEqual([
      'recorded approval.required, derived permit',
    ]);
    expect(await differencesWith(ids.permitted, (seen) => ({ ...seen, given: [] }))).toEqual([
      'leaves out an approval that no permit before it had spent',
    ]);
    const made = { ...spent[0], nonce: 'A'.repeat(22) };
    expect(
      await differencesWith(ids.partly, (seen) => ({ ...seen, given: [...seen.given, made] })),
    ).toHaveLength(1);
    const { different } = await replay((receipt) =>
      receipt.id === ids.again && receipt.approvals
        ? {
            ...receipt,
            ...{ verdict: 'permit', code: undefined, detail: undefined },
            approvals: { ...receipt.approvals, given: spent },
          }
        : receipt,
    );
    expect(different.map(({ difference }) => difference)).toEqual([
      'recorded permit, and an approval it stands on had been spent before',
    ]);
  });

  it('bundles say the same to an outsider, who sees the approvals and whose they are', async () => {
    const key = must(readKeyFile(domain.home.logKeyFile('fs'))).publicKey;
    const fs = noteVerifier(domain.home.executionOrigin('fs'), key);
    const check = (bundle: EvidenceBundle) => verifyEvidence(JSON.stringify(bundle), { logs: [fs] });
    for (const id of Object.values(ids)) {
      const report = check(await domain.bundle(id));
      expect(report.problems).toEqual([]);
      expect(report.executions[0]).toMatchObject({ rederived: 'same', withheld: [] });
    }
    const bundle = await domain.bundle(ids.permitted);
    const [execution] = bundle.executions;
    if (execution === undefined) throw new Error('no execution');
    const { actionSalt: _, ...without } = execution;
    expect(check({ ...bundle, executions: [without] }).problems).toContain(
      'evidence.approvals: the salt of the action is missing',
    );
    const actionSalt = Buffer.alloc(32).toString('base64url');
    const [problem] = check({ ...bundle, executions: [{ ...execution, actionSalt }] }).problems;
    expect(problem).toMatch(/made again it comes out otherwise: recorded permit, derived approval.required/);
    // The salt opens the digest of this action; without the arguments it does not go along.
    const withheld = must(
      await bundleExecution(domain.home, ids.permitted, { withhold: new Set(['request']) }),
    );
    expect(withheld.executions[0]).not.toHaveProperty('actionSalt');
    expect(check(withheld)).toMatchObject({ verified: true });
  });
});
