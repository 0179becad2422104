import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { must, nowSeconds, READ, TestDomain, testBundle, WRITE } from '../../test/support/trust-domain.ts';
import { type RootGrant, readToken } from '../artifact/index.ts';
import { digestOf, type JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import type { RevocationHandle } from '../governance/index.ts';
import { type OutcomeReceipt, parseOutcomeReceipt } from '../receipt/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import {
  appendGovernance,
  type Clock,
  type OpenExecution,
  type OpenedGovernor,
  publishPolicy,
  readEvidenceKey,
  replayLog,
  revoke,
} from './index.ts';

let domain: TestDomain;
let opened: OpenedGovernor;
/** Moves only by hand; the watch's own looks never find that time has passed. */
let aheadMs = 0;
const frozenMs = Date.now();
const clock: Clock = { wallMs: () => frozenMs + aheadMs, monotonicMs: () => frozenMs + aheadMs };
const by = { actor: 'test', atSeconds: nowSeconds() };

beforeEach(async () => {
  aheadMs = 0;
  domain = await TestDomain.create();
  opened = await domain.open({ clock });
});

afterEach(async () => {
  await opened.close();
  domain.dispose();
});

async function begin(
  chain: readonly string[],
  call: { readonly args?: JsonObject; readonly parent?: string; readonly tool?: string } = {},
): Promise<OpenExecution> {
  const outcome = await opened.governor.begin(
    domain.call(chain, { audience: opened.audience, clock, ...call }),
  );
  if (outcome.verdict === 'deny') throw new Error(`${outcome.denial.code}: ${outcome.denial.detail}`);
  return outcome;
}

const codeOf = ({ signal }: OpenExecution) => (isDenial(signal.reason) ? signal.reason.code : 'runs');

function outcomes(): OutcomeReceipt[] {
  const reader = openSqliteLogReader(domain.home.executionLogFolder('fs'));
  try {
    return reader.read(0, reader.head().size).flatMap((entry) => {
      const outcome = parseOutcomeReceipt(entry);
      return isDenial(outcome) ? [] : [outcome];
    });
  } finally {
    reader.close();
  }
}

const revokeHandle = async (handle: RevocationHandle, value: string) => {
  must(await revoke(domain.home, { handle, value }, by));
};

const jtiOf = (token: string) => must(readToken(token)).jti;

describe('what runs is stopped when it no longer stands', () => {
  it('a revocation written by another process, noticed unasked; what it does not concern runs on', async () => {
    const [doomed, other] = [domain.issue(), domain.issue()];
    const stopped = await begin([doomed]);
    const running = await begin([other]);
    const told = new Promise((resolve) => stopped.signal.addEventListener('abort', resolve));
    await revokeHandle('token', jtiOf(doomed));
    await told;
    expect([codeOf(stopped), codeOf(running)]).toEqual(['revocation.revoked', 'runs']);

    // The effect got there first: it says so, and it counts as stopped all the same.
    expect(stopped.conclude({ status: 'succeeded', evidence: Buffer.from('x') })?.code).toBe(
      'revocation.revoked',
    );
    expect(running.conclude({ status: 'succeeded' })).toBeUndefined();
    await opened.governor.settle();
    expect(outcomes()).toMatchObject([
      {
        id: stopped.executionId,
        status: 'terminated',
        code: 'revocation.revoked',
        note: `token ${jtiOf(doomed)} is revoked; the effect succeeded all the same`,
        result: { bytes: 1 },
      },
      { id: running.executionId, status: 'succeeded' },
    ]);
  });

  it('the artifact ends, its windows close, the measurement grows too old for it: by the clock', async () => {
    const expSeconds = Math.floor(frozenMs / 1000) + 100;
    // Open all week but for the minute that begins one to two minutes from now.
    const [to, from] = [2, 3].map((minutes) => {
      const later = new Date(frozenMs + minutes * 60_000);
      return later.toISOString().slice('2026-01-01T'.length, '2026-01-01T00:00'.length);
    });
    if (to === undefined || from === undefined) throw new Error('unreachable');
    const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
    const grants: Partial<RootGrant>[] = [
      { expSeconds },
      { writ: { use: { windows: [{ days, from, to, tz: 'UTC' }] } } },
      { writ: { environment: { maxAgeSeconds: 200 } } },
      {},
    ];
    const [ends, closes, ages, stands] = await Promise.all(
      grants.map((grant) => begin([domain.issue(grant)])),
    );
    if (!ends || !closes || !ages || !stands) throw new Error('unreachable');
    const codes = () => [ends, closes, ages, stands].map(codeOf);
    const at = async (ms: number) => {
      aheadMs = ms;
      await opened.governor.reverify();
      return codes();
    };
    const endsMs = expSeconds * 1000 - frozenMs;
    const closesMs = 120_000 - (frozenMs % 60_000);
    expect(await at(59_000)).toEqual(['runs', 'runs', 'runs', 'runs']);
    expect((await at(endsMs - 1))[0]).toBe('runs');
    expect((await at(endsMs))[0]).toBe('artifact.expired');
    const expected = ['artifact.expired', 'scope.outside_window', 'runs', 'runs'];
    expect(await at(Math.max(endsMs, closesMs))).toEqual(expected);
    expect(await at(199_000)).toEqual(expected);
    expect((await at(201_001))[2]).toBe('environment.stale');
    expect(codeOf(stands)).toBe('runs');
  });

  it('a policy that forbids it is published; executions that it does not forbid run on', async () => {
    const chain = [domain.issue()];
    const [write, read] = [await begin(chain), await begin(chain, { tool: READ })];
    const bundle = testBundle(
      `permit (principal, action, resource);\nforbid (principal, action == Writ::Action::"${WRITE}", resource);`,
    );
    must(await publishPolicy(domain.home, bundle, by));
    await opened.governor.reverify();
    expect([codeOf(write), codeOf(read)]).toEqual(['policy.forbidden', 'runs']);
    // Its bytes are gone: nothing can be decided any more.
    const next = testBundle('permit (principal, action, resource) when { true };');
    must(await publishPolicy(domain.home, next, by));
    rmSync(domain.home.policyFile(next.digest));
    await opened.governor.reverify();
    expect(codeOf(read)).toBe('policy.unavailable');
  });

  it('a policy that reads the time is asked again every minute', async () => {
    const end = Math.floor(frozenMs / 1000) + 90;
    const bundle = testBundle(
      `permit (principal, action, resource) when { context.time.epochSeconds < ${end} };`,
    );
    must(await publishPolicy(domain.home, bundle, by));
    const execution = await begin([domain.issue()]);
    aheadMs = 60_000;
    await opened.governor.reverify();
    expect(codeOf(execution)).toBe('runs');
    aheadMs = 150_000;
    await opened.governor.reverify();
    expect(codeOf(execution)).toBe('policy.not_permitted');
  });

  it('the definition of the tool changes, or another component of the measurement that it is bound to', async () => {
    const chain = [domain.issue()];
    const pinned = opened.view().policy?.bundle.tools;
    const bound = domain.issue({
      tools: { [READ]: {} },
      writ: {
        environment: {
          components: [{ kind: 'tool', name: WRITE, digest: pinned?.get(WRITE)?.digest ?? digestOf('') }],
        },
      },
    });
    const [write, read, binding] = [
      await begin(chain),
      await begin(chain, { tool: READ }),
      await begin([bound], { tool: READ }),
    ];
    opened.setTools([
      { id: WRITE, digest: digestOf('another') },
      { id: READ, digest: pinned?.get(READ)?.digest ?? digestOf('') },
    ]);
    await opened.governor.reverify();
    expect([write, read, binding].map(codeOf)).toEqual([
      'environment.tool_changed',
      'runs',
      'environment.tool_changed',
    ]);
  });

  it('the agent is retired, or its issuer is no longer trusted', async () => {
    const named = await begin([domain.issue()]);
    const unnamed = await begin([domain.issue({ writ: {} })]);
    const { home } = domain;
    const [anchor] = opened.view().state.anchors;
    if (anchor === undefined) throw new Error('no anchor');
    const at = by.atSeconds;
    must(
      await appendGovernance(home, [
        { event: 'agent.retired', at, actor: 'test', subject: home.agent('worker') },
      ]),
    );
    await opened.governor.reverify();
    expect([codeOf(named), codeOf(unnamed)]).toEqual(['identity.mismatch', 'runs']);
    must(
      await appendGovernance(home, [
        { event: 'anchor.retired', at, actor: 'test', iss: anchor.iss, thumbprint: anchor.key.thumbprint },
      ]),
    );
    await opened.governor.reverify();
    expect(codeOf(unnamed)).toBe('artifact.untrusted_issuer');
  });

  it('governance cannot be read for longer than its knowledge keeps', async () => {
    const execution = await begin([domain.issue()]);
    rmSync(join(domain.home.governanceFolder, 'log.sqlite'));
    aheadMs = 9000;
    await opened.governor.reverify();
    expect(codeOf(execution)).toBe('runs');
    aheadMs = 11_000;
    await opened.governor.reverify();
    expect(codeOf(execution)).toBe('revocation.stale');
  });
});

describe('an execution that was stopped', () => {
  it('has no children any more, although it has not ended; what they are denied for stands in the log', async () => {
    const chain = [domain.issue({ writ: { use: { maxDurationSeconds: 1 } } })];
    const parent = await begin(chain);
    const child = await begin(chain, { parent: parent.executionId });
    child.conclude({ status: 'succeeded' });
    await new Promise((resolve) => parent.signal.addEventListener('abort', resolve));
    await expect(begin(chain, { parent: parent.executionId })).rejects.toThrow('lineage.parent_denied');
    expect(parent.conclude({ status: 'succeeded' })?.code).toBe('scope.use_exhausted');
    await opened.governor.settle();
    expect(outcomes()).toMatchObject([
      { id: child.executionId, status: 'succeeded' },
      {
        id: parent.executionId,
        status: 'terminated',
        code: 'scope.use_exhausted',
        note: 'ran longer than the artifact allows; the effect had not ended when this was recorded',
      },
    ]);
    await opened.close();
    const evidenceKey = must(readEvidenceKey(domain.home.evidenceKeyFile));
    const log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
    const governance = openSqliteLogReader(domain.home.governanceFolder);
    const readEvidence = (address: string) => log.readEvidence(address, evidenceKey);
    expect(await replayLog({ log, governance, readEvidence })).toMatchObject({ same: 3, different: [] });
    log.close();
    governance.close();
  });
});

describe('a thousand executions', () => {
  let many: TestDomain;
  beforeAll(async () => {
    many = await TestDomain.create();
  });
  afterAll(() => many.dispose());

  it('of chains of their own are each told once, and nobody else is; the count is right', async () => {
    const governor = await many.open();
    const chains = Array.from({ length: 20 }, () => many.issue());
    const starts = Array.from({ length: 1000 }, (_, index) =>
      governor.governor.begin(
        many.call([chains[index % 20] ?? ''], {
          audience: governor.audience,
          args: { path: `/file/${index}` },
        }),
      ),
    );
    const executions = (await Promise.all(starts)).map((outcome) => {
      if (outcome.verdict === 'deny') throw new Error(outcome.denial.code);
      return outcome;
    });
    expect(governor.governor.runningCount).toBe(1000);
    const told = executions.map(() => 0);
    for (const [index, { signal }] of executions.entries()) {
      signal.addEventListener('abort', () => {
        told[index] = (told[index] ?? 0) + 1;
      });
    }
    const value = jtiOf(chains[3] ?? '');
    must(await revoke(many.home, { handle: 'token', value }, by));
    await governor.governor.reverify();
    expect(told).toEqual(executions.map((_, index) => (index % 20 === 3 ? 1 : 0)));
    must(await revoke(many.home, { handle: 'subject', value: many.home.agent('worker') }, by));
    await governor.governor.reverify();
    expect(told).toEqual(executions.map(() => 1));
    for (const execution of executions) execution.conclude({ status: 'unknown' });
    expect(governor.governor.runningCount).toBe(0);
    await governor.close();
  });
});
