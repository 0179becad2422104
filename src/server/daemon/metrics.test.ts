import { afterAll, beforeAll, expect, it } from 'vitest';
import { HttpClient, startDaemon } from '../../../test/support/daemon-client.ts';
import { TestApprover } from '../../../test/support/test-approver.ts';
import { must, nowSeconds, READ, TestDomain } from '../../../test/support/trust-domain.ts';
import { isDenial } from '../../denial/index.ts';
import {
  ApprovalRequests,
  type ConnectedGovernor,
  connectGovernor,
  openGovernanceFollower,
  recordApproval,
  statementFor,
  systemClock,
} from '../../governor/index.ts';
import type { Daemon } from './daemon.ts';

const POLICY = `
permit (principal, action in Writ::Action::"read", resource);
@approval("operator:1") permit (principal, action in Writ::Action::"write", resource);
`;

let domain: TestDomain;
let daemon: Daemon;
let point: ConnectedGovernor;
let client: HttpClient;
let skippedMs = 0;

beforeAll(async () => {
  domain = await TestDomain.create(POLICY);
  daemon = await startDaemon(domain.home, {
    wallMs: () => systemClock.wallMs(),
    monotonicMs: () => systemClock.monotonicMs() + skippedMs,
  });
  const connected = await connectGovernor({ home: domain.home, name: 'fs', components: [] });
  if (connected === undefined || isDenial(connected)) throw new Error('no daemon');
  point = connected;
  client = new HttpClient(daemon.socketPath);
});
afterAll(async () => {
  client.close();
  await point.close();
  await daemon.close();
  domain.dispose();
});

/** Every series with its value. */
async function scrape(): Promise<ReadonlyMap<string, number>> {
  const { text } = await client.send('GET', '/metrics');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1).replace('Nan', 'NaN'))];
    }),
  );
}

const figure = async (series: string) => (await scrape()).get(series);

function act(tool?: string, during: () => Promise<unknown> = async () => undefined) {
  const options = { audience: point.audience, ...(tool === undefined ? {} : { tool }) };
  return point.governor.run(domain.call(chain(), options), async () => {
    await during();
    return { status: 'succeeded', value: 1 };
  });
}

let issued: readonly string[] | undefined;
function chain(): readonly string[] {
  issued ??= [domain.issue()];
  return issued;
}

async function approve(id: string): Promise<void> {
  const ada = await TestApprover.enrolled(domain.home, 'ada', 'operator');
  const requests = must(ApprovalRequests.open(domain.home));
  const { view, close } = follower();
  const request = must(requests.find(id, view.state, Date.now()));
  requests.close();
  close();
  const statement = must(
    statementFor(
      domain.home,
      request,
      { approver: ada.subject, role: 'operator', decision: 'approve' },
      nowSeconds(),
    ),
  );
  must(
    await recordApproval(domain.home, statement, ada.sign(statement), {
      actor: 'test',
      atSeconds: nowSeconds(),
    }),
  );
}

function follower() {
  const opened = must(openGovernanceFollower(domain.home));
  return { view: opened.view, close: () => opened.close() };
}

it('decisions are counted by code and stage, and timed', async () => {
  await act(READ);
  await point.governor.run({ tool: READ, args: {}, presentation: undefined }, async () => ({
    status: 'succeeded',
    value: 1,
  }));
  const values = await scrape();
  expect(values.get('writ_decisions_total{verdict="permit",code="",stage=""}')).toBe(1);
  expect(values.get('writ_decisions_total{verdict="deny",code="artifact.missing",stage="artifact"}')).toBe(1);
  expect(values.get('writ_decision_duration_seconds_count{verdict="permit"}')).toBe(1);
  expect(values.get('writ_governance_age_seconds')).toBeGreaterThanOrEqual(0);
});

it('what runs is counted while it runs', async () => {
  let during: number | undefined;
  await act(READ, async () => {
    during = await figure('writ_executions_running');
  });
  expect(during).toBe(1);
  expect(await figure('writ_executions_running')).toBe(0);
});

it('levels of the logs follow what is appended and published', async () => {
  const durable = 'writ_log_entries{log="execution/fs",level="durable"}';
  const included = 'writ_log_entries{log="execution/fs",level="included"}';
  const lag = 'writ_log_lag_seconds{log="execution/fs",level="included"}';
  await act(READ);
  await point.governor.settle();
  const behind = await scrape();
  await expect
    .poll(
      async () => {
        const now = await scrape();
        return now.get(included) === now.get(durable) && now.get(lag) === 0;
      },
      { timeout: 20_000 },
    )
    .toBe(true);
  const after = await scrape();
  expect(after.get(durable)).toBeGreaterThanOrEqual(behind.get(durable) ?? Number.NaN);
  expect(after.get('writ_log_entries{log="governance",level="included"}')).toBe(
    daemon.status().governance.size,
  );
  // No witness policy: nothing is said of that level.
  expect([...after.keys()].filter((series) => series.includes('witnessed'))).toEqual([]);
});

it('what waits for approval is counted until people have decided', async () => {
  const waiting = async () => {
    skippedMs += 10_000;
    return figure('writ_approvals_waiting');
  };
  await expect.poll(waiting, { timeout: 20_000 }).toBe(0);
  const asked = await act();
  expect(asked).toMatchObject({ verdict: 'deny', denial: { code: 'approval.required' } });
  await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
  await approve(asked.executionId);
  await expect.poll(waiting, { timeout: 20_000 }).toBe(0);
  expect((await act()).verdict).toBe('permit');
});
