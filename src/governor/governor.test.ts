import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { must, nowSeconds, READ, TestDomain, testBundle, WRITE } from '../../test/support/trust-domain.ts';
import { deriveToken } from '../artifact/index.ts';
import { digestOf } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import {
  type DecisionReceipt,
  type OutcomeReceipt,
  parseDecisionReceipt,
  parseOutcomeReceipt,
} from '../receipt/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { formatCheckpoint, leafHash, noteSigner, signNote } from '../tlog/index.ts';
import {
  appendGovernance,
  type Clock,
  type EffectResult,
  enrollAgent,
  type OpenedGovernor,
  type Outcome,
  publishPolicy,
  readEvidenceKey,
  replayLog,
} from './index.ts';

let domain: TestDomain;
let opened: OpenedGovernor;

beforeEach(async () => {
  domain = await TestDomain.create();
  opened = await domain.open();
});

afterEach(async () => {
  await opened.close();
  domain.dispose();
});

/** Counts how often the effect really ran. */
class Counted {
  runs = 0;
  readonly effect = async () => {
    this.runs += 1;
    return { status: 'succeeded', value: 'done', evidence: Buffer.from('result') } as const;
  };
}

const codeOf = (outcome: Outcome<unknown>) => (outcome.verdict === 'permit' ? 'permit' : outcome.denial.code);

function readLog(name = 'fs') {
  const reader = openSqliteLogReader(domain.home.executionLogFolder(name));
  try {
    const decisions: DecisionReceipt[] = [];
    const outcomes: OutcomeReceipt[] = [];
    for (const entry of reader.read(0, reader.head().size)) {
      const decision = parseDecisionReceipt(entry);
      const outcome = parseOutcomeReceipt(entry);
      if (!isDenial(decision)) decisions.push(decision);
      if (!isDenial(outcome)) outcomes.push(outcome);
    }
    return { decisions, outcomes };
  } finally {
    reader.close();
  }
}

describe('Governor.run', () => {
  it('runs a permitted effect once, with a durable permit before it and an outcome after it', async () => {
    const chain = [domain.issue()];
    let permitAtEffect: unknown;
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience }),
      async ({ id }) => {
        permitAtEffect = readLog().decisions.find((receipt) => receipt.id === id)?.verdict;
        return { status: 'succeeded', value: 42, evidence: Buffer.from('out') };
      },
    );
    expect(outcome).toMatchObject({ verdict: 'permit', value: 42, receiptIndex: 0 });
    expect(permitAtEffect).toBe('permit');
    await opened.governor.settle();
    const { decisions, outcomes } = readLog();
    expect(decisions).toHaveLength(1);
    expect(outcomes).toMatchObject([
      { id: outcome.executionId, status: 'succeeded', decision: { index: 0 } },
    ]);
    expect(decisions[0]?.agent).toBe(domain.home.agent('worker'));
  });

  it('records a denial and leaves the effect undone', async () => {
    const counted = new Counted();
    const missing = await opened.governor.run(
      { tool: WRITE, args: { path: '/a' }, presentation: undefined },
      counted.effect,
    );
    const ungranted = await opened.governor.run(
      domain.call([domain.issue({ tools: { [READ]: {} } })], { audience: opened.audience }),
      counted.effect,
    );
    expect([codeOf(missing), codeOf(ungranted)]).toEqual(['artifact.missing', 'scope.tool_not_granted']);
    expect(counted.runs).toBe(0);
    expect(readLog().decisions.map(({ verdict, code }) => `${verdict} ${code}`)).toEqual([
      'deny artifact.missing',
      'deny scope.tool_not_granted',
    ]);
  });

  it('accepts one proof once, however many race with it, and never again after a restart', async () => {
    const counted = new Counted();
    const action = domain.call([domain.issue()], { audience: opened.audience });
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, () => opened.governor.run(action, counted.effect)),
    );
    expect(counted.runs).toBe(1);
    expect(outcomes.map(codeOf).filter((code) => code === 'permit')).toHaveLength(1);
    expect(new Set(outcomes.map(codeOf))).toEqual(new Set(['permit', 'replay.detected']));
    await opened.close();
    opened = await domain.open();
    expect(codeOf(await opened.governor.run(action, counted.effect))).toBe('replay.detected');
    expect(counted.runs).toBe(1);
  });

  it('counts uses and budgets exactly, under races', async () => {
    const counted = new Counted();
    const chain = [domain.issue({ writ: { use: { maxUses: 3 } } })];
    const calls = Array.from({ length: 12 }, () => domain.call(chain, { audience: opened.audience }));
    const outcomes = await Promise.all(calls.map((action) => opened.governor.run(action, counted.effect)));
    expect(counted.runs).toBe(3);
    expect(outcomes.map(codeOf).filter((code) => code === 'scope.use_exhausted')).toHaveLength(9);

    const budget = [domain.issue({ writ: { use: { budgets: [{ argument: 'amount', total: 100 }] } } })];
    const spend = (amount: number) =>
      opened.governor.run(
        domain.call(budget, { audience: opened.audience, args: { path: '/a', amount } }),
        counted.effect,
      );
    expect(codeOf(await spend(60))).toBe('permit');
    expect(codeOf(await spend(41))).toBe('scope.use_exhausted');
    expect(codeOf(await spend(40))).toBe('permit');
    expect(codeOf(await spend(-1))).toBe('scope.arguments_not_granted');
  });

  it('a derived token cannot escape the counter of its parent', async () => {
    const counted = new Counted();
    const root = domain.issue({ writ: { use: { maxUses: 1 } } });
    const child = () =>
      must(
        deriveToken({
          parent: root,
          signer: domain.agent,
          holder: domain.agent.publicKey,
          iatSeconds: nowSeconds(),
        }),
      );
    const run = (leaf: string) =>
      opened.governor.run(domain.call([root, leaf], { audience: opened.audience }), counted.effect);
    expect(codeOf(await run(child()))).toBe('permit');
    expect(codeOf(await run(child()))).toBe('scope.use_exhausted');
    expect(counted.runs).toBe(1);
  });

  it('denies from the moment a revocation returns', async () => {
    const counted = new Counted();
    const chain = [domain.issue()];
    const run = () => opened.governor.run(domain.call(chain, { audience: opened.audience }), counted.effect);
    expect(codeOf(await run())).toBe('permit');
    must(
      await appendGovernance(domain.home, [
        {
          event: 'revoked',
          at: nowSeconds(),
          actor: 'test',
          handle: 'holder',
          value: domain.agent.publicKey.thumbprint,
        },
      ]),
    );
    expect(codeOf(await run())).toBe('revocation.revoked');
    expect(counted.runs).toBe(1);
  });

  it('follows a policy that is published while it runs', async () => {
    const counted = new Counted();
    const chain = [domain.issue()];
    const run = () => opened.governor.run(domain.call(chain, { audience: opened.audience }), counted.effect);
    expect(codeOf(await run())).toBe('permit');
    const bundle = testBundle('forbid (principal, action, resource);');
    must(await publishPolicy(domain.home, bundle, { actor: 'test', atSeconds: nowSeconds() }));
    expect(codeOf(await run())).toBe('policy.forbidden');
    rmSync(domain.home.policyFile(bundle.digest));
    await opened.close();
    opened = await domain.open();
    expect(codeOf(await run())).toBe('policy.unavailable');
  });

  it('denies a policy file that was altered', async () => {
    const { digest } = testBundle();
    const path = domain.home.policyFile(digest);
    await opened.close();
    writeFileSync(path, readFileSync(path, 'utf8').replace('permit (principal', 'permit  (principal'));
    opened = await domain.open();
    const counted = new Counted();
    const outcome = await opened.governor.run(
      domain.call([domain.issue()], { audience: opened.audience }),
      counted.effect,
    );
    expect([codeOf(outcome), counted.runs]).toEqual(['policy.unavailable', 0]);
  });

  it('honours no governance event that the domain has not signed, and denies once its knowledge is old', async () => {
    let aheadMs = 0;
    const clock: Clock = { wallMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() };
    await opened.close();
    opened = await domain.open({ clock, maxStalenessSeconds: 5 });
    const chain = [domain.issue()];
    const counted = new Counted();
    const run = () =>
      opened.governor.run(domain.call(chain, { audience: opened.audience, clock }), counted.effect);
    expect(codeOf(await run())).toBe('permit');

    // Someone with a hand on the files, but without the governance key, moves the log under it.
    const { governanceFolder: directory, governanceOrigin: origin } = domain.home;
    const database = new DatabaseSync(join(directory, 'log.sqlite'));
    database.exec('CREATE TABLE moved (at INTEGER)');
    database.close();
    writeFileSync(
      join(directory, 'checkpoint'),
      signNote(formatCheckpoint({ origin, size: 1, rootHash: leafHash(Buffer.from('forged')) }), [
        noteSigner(origin, SigningKey.generate()),
      ]),
    );
    aheadMs = 3000;
    await run();
    aheadMs = 9000;
    const before = counted.runs;
    expect(codeOf(await run())).toBe('revocation.stale');
    expect(counted.runs).toBe(before);
  });

  it('denies without recording when the log is gone, and the effect stays undone', async () => {
    const counted = new Counted();
    const chain = [domain.issue()];
    await opened.governor.close();
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience }),
      counted.effect,
    );
    expect(outcome).toMatchObject({ verdict: 'deny', receiptIndex: undefined });
    expect(codeOf(outcome)).toBe('log.unavailable');
    expect(counted.runs).toBe(0);
  });

  it('denies what was stopped, also where the effect throws because of it', async () => {
    const chain = [domain.issue({ writ: { use: { maxDurationSeconds: 1 } } })];
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience }),
      ({ signal }) =>
        new Promise<EffectResult<undefined>>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')));
        }),
    );
    expect(codeOf(outcome)).toBe('scope.use_exhausted');
  });

  it('records a thrown effect as unknown and throws it on', async () => {
    const chain = [domain.issue()];
    await expect(
      opened.governor.run(domain.call(chain, { audience: opened.audience }), async () => {
        throw new Error('secret-in-error');
      }),
    ).rejects.toThrow('secret-in-error');
    await opened.governor.settle();
    expect(readLog().outcomes).toMatchObject([{ status: 'unknown' }]);
  });

  it('stops an effect that outlives maxDurationSeconds', async () => {
    const chain = [domain.issue({ writ: { use: { maxDurationSeconds: 1 } } })];
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience }),
      ({ signal }) =>
        new Promise<EffectResult<undefined>>((resolve) => {
          signal.addEventListener('abort', () => resolve({ status: 'unknown', value: undefined }));
        }),
    );
    expect(codeOf(outcome)).toBe('scope.use_exhausted');
    await opened.governor.settle();
    expect(readLog().outcomes).toMatchObject([{ status: 'terminated', code: 'scope.use_exhausted' }]);
  });

  it('keeps a second instance of a name apart: its own log, its own proofs, no counters', async () => {
    const second = await domain.open();
    try {
      expect(second.log).toBe('fs~2');
      const counted = new Counted();
      const plain = [domain.issue()];
      const forFirst = domain.call(plain, { audience: opened.audience });
      expect(codeOf(await opened.governor.run(forFirst, counted.effect))).toBe('permit');
      // The proof that the first instance consumed is of no use at its twin.
      expect(codeOf(await second.governor.run(forFirst, counted.effect))).toBe('identity.proof_invalid');
      expect(
        codeOf(await second.governor.run(domain.call(plain, { audience: second.audience }), counted.effect)),
      ).toBe('permit');
      const counting = [domain.issue({ writ: { use: { maxUses: 1 } } })];
      expect(
        codeOf(
          await second.governor.run(domain.call(counting, { audience: second.audience }), counted.effect),
        ),
      ).toBe('replay.unavailable');
      expect(counted.runs).toBe(2);
    } finally {
      await second.close();
    }
  });

  it('takes a parent from its own log or from one beside it, and only of the same authority', async () => {
    const counted = new Counted();
    const chain = [domain.issue()];
    const parent = await opened.governor.run(
      domain.call(chain, { audience: opened.audience }),
      counted.effect,
    );
    const child = (leafChain: string[], parentId: string, governor = opened, signer = domain.agent) =>
      governor.governor.run(
        domain.call(leafChain, { audience: governor.audience, parent: parentId, signer }),
        counted.effect,
      );
    expect(codeOf(await child(chain, parent.executionId))).toBe('permit');
    expect(codeOf(await child([domain.issue()], parent.executionId))).toBe('lineage.root_mismatch');
    expect(codeOf(await child(chain, 'no-such-execution'))).toBe('lineage.parent_unknown');
    const other = SigningKey.generate();
    const subject = domain.home.agent('helper');
    must(
      await enrollAgent(domain.home, {
        subject,
        key: other.publicKey,
        actor: 'test',
        atSeconds: nowSeconds(),
      }),
    );
    const derived = must(
      deriveToken({
        parent: chain,
        signer: domain.agent,
        holder: other.publicKey,
        tools: { [READ]: {} },
        iatSeconds: nowSeconds(),
      }),
    );
    const second = await domain.open();
    try {
      const action = domain.call([...chain, derived], {
        audience: second.audience,
        tool: READ,
        signer: other,
        parent: parent.executionId,
      });
      expect(codeOf(await second.governor.run(action, counted.effect))).toBe('permit');
      const [receipt] = readLog('fs~2').decisions;
      expect(receipt?.lineage).toEqual({ parent: parent.executionId, root: parent.executionId, depth: 1 });
    } finally {
      await second.close();
    }
    const denied = await child(chain, 'no-such-execution');
    expect(codeOf(await child(chain, denied.executionId))).toBe('lineage.parent_denied');
  });

  it('leaves no argument, result or error in clear in any byte it writes', async () => {
    const secret = 'S3CRET-4f7d0c';
    const chain = [domain.issue()];
    const call = (path: string) => domain.call(chain, { audience: opened.audience, args: { path } });
    await opened.governor.run(call(`/vault/${secret}`), async () => ({
      status: 'failed',
      value: 1,
      evidence: Buffer.from(secret),
    }));
    await opened.governor.run(
      domain.call(
        [domain.issue({ tools: { [WRITE]: { path: { constraint_type: 'exact', value: '/x' } } } })],
        {
          audience: opened.audience,
          args: { path: secret },
        },
      ),
      new Counted().effect,
    );
    const stray = domain.call(chain, { audience: opened.audience, args: { path: secret } });
    await opened.governor.run({ ...stray, args: { path: `other-${secret}` } }, new Counted().effect);
    await opened.close();
    const forms = [
      secret,
      Buffer.from(secret).toString('base64url').slice(0, -2),
      Buffer.from(secret).toString('hex'),
    ];
    for (const path of walk(domain.folder)) {
      const text = readFileSync(path, 'latin1');
      for (const form of forms) expect(text.includes(form), `${form} in ${path}`).toBe(false);
    }
    opened = await domain.open();
  });
});

describe('Governor.begin', () => {
  it('leaves running and concluding to the enforcement point: the permit is durable, the first end counts', async () => {
    const action = domain.call([domain.issue()], { audience: opened.audience });
    const execution = await opened.governor.begin(action);
    if (execution.verdict === 'deny') throw new Error(execution.denial.code);
    expect(readLog().decisions).toMatchObject([{ id: execution.executionId, verdict: 'permit' }]);
    expect(await opened.governor.begin(action)).toMatchObject({
      verdict: 'deny',
      denial: { code: 'replay.detected' },
    });
    expect(execution.conclude({ status: 'failed', note: 'first' })).toBeUndefined();
    expect(execution.conclude({ status: 'succeeded', note: 'second' })).toBeUndefined();
    await opened.governor.settle();
    expect(readLog().outcomes).toMatchObject([
      { id: execution.executionId, status: 'failed', note: 'first', decision: { index: 0 } },
    ]);
  });

  it('aborts at the deadline of the artifact, and records terminated whatever is said afterwards', async () => {
    const chain = [domain.issue({ writ: { use: { maxDurationSeconds: 1 } } })];
    const execution = await opened.governor.begin(domain.call(chain, { audience: opened.audience }));
    if (execution.verdict === 'deny') throw new Error(execution.denial.code);
    await new Promise((resolve) => execution.signal.addEventListener('abort', resolve));
    expect(execution.signal.reason).toMatchObject({ code: 'scope.use_exhausted' });
    expect(execution.conclude({ status: 'succeeded' })?.code).toBe('scope.use_exhausted');
    await opened.governor.settle();
    expect(readLog().outcomes).toMatchObject([{ status: 'terminated', code: 'scope.use_exhausted' }]);
  });

  it('tells whoever still runs when it stops, and records as unknown what nobody concluded; nothing starts after', async () => {
    const chain = [domain.issue()];
    const begin = () => opened.governor.begin(domain.call(chain, { audience: opened.audience }));
    const [quick, lost] = [await begin(), await begin()];
    if (quick.verdict === 'deny' || lost.verdict === 'deny') throw new Error('denied');
    quick.signal.addEventListener('abort', () => quick.conclude({ status: 'succeeded' }));
    await opened.governor.stop();
    expect(lost.signal.aborted).toBe(true);
    const late = await begin();
    expect(late).toMatchObject({ verdict: 'deny', denial: { code: 'log.unavailable' } });
    await opened.governor.settle();
    expect(readLog().outcomes).toMatchObject([
      { id: quick.executionId, status: 'succeeded' },
      { id: lost.executionId, status: 'unknown' },
      { id: late.executionId, status: 'terminated', code: 'log.unavailable' },
    ]);
  });
});

describe('replayLog', () => {
  it('derives every decision of a mixed log again, and finds one that was made otherwise', async () => {
    const counted = new Counted();
    const chain = [domain.issue()];
    const { audience, governor } = opened;
    const counting = [domain.issue({ writ: { use: { maxUses: 1 } } })];
    const replayed = domain.call(chain, { audience });
    const parent = await governor.run(domain.call(chain, { audience }), counted.effect);
    await governor.run(domain.call(chain, { audience, parent: parent.executionId }), counted.effect);
    for (const action of [
      replayed,
      replayed,
      domain.call(counting, { audience }),
      domain.call(counting, { audience }),
    ]) {
      await governor.run(action, counted.effect);
    }
    await governor.run({ tool: WRITE, args: {}, presentation: undefined }, counted.effect);
    await governor.run({ ...domain.call(chain, { audience }), args: { path: '/elsewhere' } }, counted.effect);
    await governor.run(
      { ...domain.call(chain, { audience }), toolDigest: digestOf('changed') },
      counted.effect,
    );
    await governor.run(domain.call(['garbage', ...chain], { audience }), counted.effect);
    await governor.run(domain.call(chain, { audience, parent: 'unknown' }), counted.effect);
    must(
      await appendGovernance(domain.home, [
        {
          event: 'revoked',
          at: nowSeconds(),
          actor: 'test',
          handle: 'subject',
          value: domain.home.agent('worker'),
        },
      ]),
    );
    await governor.run(domain.call(chain, { audience }), counted.effect);
    await opened.close();

    const evidenceKey = must(readEvidenceKey(domain.home.evidenceKeyFile));
    const log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
    const governance = openSqliteLogReader(domain.home.governanceFolder);
    const readEvidence = (address: string) => log.readEvidence(address, evidenceKey);
    const report = await replayLog({ log, governance, readEvidence });
    expect(report.different).toEqual([]);
    expect(report).toMatchObject({ same: 12, withheld: 0 });

    const withheld = await replayLog({ log, governance, readEvidence: () => undefined });
    expect(withheld).toMatchObject({ same: 0, withheld: 12 });

    // Without the permit that spent it, a counter that was spent cannot be derived; nor can it be called wrong.
    const { decisions } = readLog();
    const spent = decisions.find(({ code }) => code === 'scope.use_exhausted');
    const spender = decisions.find(
      ({ verdict, artifact }) => verdict === 'permit' && artifact?.digest === spent?.artifact?.digest,
    );
    const erased = spender?.evidence.request;
    const partly = await replayLog({
      log,
      governance,
      readEvidence: (address) => (address === erased ? undefined : readEvidence(address)),
    });
    expect(erased).toBeDefined();
    expect(partly.different).toEqual([]);
    expect(partly).toMatchObject({ same: 10, withheld: 1, undetermined: 1 });

    // A log in which a denial was turned into a permit does not replay.
    const altered = {
      head: () => log.head(),
      lookup: (key: string) => log.lookup(key),
      inclusionProof: () => [],
      consistencyProof: () => [],
      read: (start: number, count: number) =>
        log.read(start, count).map((entry) => {
          const text = Buffer.from(entry).toString('utf8');
          return text.includes('"code":"artifact.missing"')
            ? Buffer.from(
                text
                  .replace(/"code":"artifact.missing",/, '')
                  .replace(/"detail":"[^"]*",/, '')
                  .replace('"verdict":"deny"', '"verdict":"permit"'),
              )
            : entry;
        }),
    };
    expect((await replayLog({ log: altered, governance, readEvidence })).different).toMatchObject([
      { difference: 'recorded permit, derived artifact.missing' },
    ]);
    log.close();
    governance.close();
    opened = await domain.open();
  });
});

function walk(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
}
