import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProof, deriveToken } from '../../src/artifact/index.ts';
import { digestOf, type JsonObject } from '../../src/codec/index.ts';
import type { Action } from '../../src/decision/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import {
  bundleExecution,
  type Clock,
  type OpenedGovernor,
  type Outcome,
  openHome,
  readEvidenceKey,
  replayLog,
  revoke,
} from '../../src/governor/index.ts';
import { readKeyFile, SigningKey, writeKeyFile } from '../../src/key/index.ts';
import { type DecisionReceipt, parseDecisionReceipt, serializeReceipt } from '../../src/receipt/index.ts';
import { openSqliteLog, openSqliteLogReader } from '../../src/storage/index.ts';
import { leafHash } from '../../src/tlog/index.ts';
import { must, nowSeconds, TestDomain, WRITE } from '../support/trust-domain.ts';

const codeOf = (outcome: Outcome<unknown>) => (outcome.verdict === 'permit' ? 'permit' : outcome.denial.code);

let runs = 0;
const effect = async () => {
  runs += 1;
  return { status: 'succeeded', value: 1 } as const;
};

function decisionsOf(domain: TestDomain, name = 'fs'): DecisionReceipt[] {
  const reader = openSqliteLogReader(domain.home.executionLogFolder(name));
  try {
    return reader.read(0, reader.head().size).flatMap((entry) => {
      const receipt = parseDecisionReceipt(entry);
      return isDenial(receipt) ? [] : [receipt];
    });
  } finally {
    reader.close();
  }
}

/** Runs with a domain of its own. */
async function inDomain(attack: (domain: TestDomain) => Promise<void>): Promise<void> {
  const domain = await TestDomain.create();
  try {
    await attack(domain);
  } finally {
    domain.dispose();
  }
}

async function refusalOf(domain: TestDomain): Promise<string> {
  try {
    const opened = await domain.open();
    await opened.close();
    return 'opened';
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}

const revokeAgent = (domain: TestDomain) =>
  revoke(
    domain.home,
    { handle: 'holder', value: domain.agent.publicKey.thumbprint },
    { actor: 'test', atSeconds: nowSeconds() },
  );

describe('the files of a trust domain, moved under a governor', () => {
  it('a governance log that was replaced by a copy is followed: revocations in it hold', () =>
    inDomain(async (domain) => {
      const opened = await domain.open();
      const chain = [domain.issue()];
      const run = () => opened.governor.run(domain.call(chain, { audience: opened.audience }), effect);
      expect(codeOf(await run())).toBe('permit');
      const folder = domain.home.governanceFolder;
      cpSync(folder, join(domain.folder, 'copy'), { recursive: true });
      renameSync(folder, join(domain.folder, 'old'));
      renameSync(join(domain.folder, 'copy'), folder);
      expect(codeOf(await run())).toBe('permit');
      expect(await revokeAgent(domain)).toBeUndefined();
      const before = runs;
      expect(codeOf(await run())).toBe('revocation.revoked');
      expect(runs).toBe(before);
      await opened.close();
    }));

  it('a governance log that is gone is not fresh knowledge, not even for a clock that goes back', () =>
    inDomain(async (domain) => {
      let wallMs = Date.now();
      let monotonicMs = 0;
      const clock: Clock = { wallMs: () => wallMs, monotonicMs: () => monotonicMs };
      const opened = await domain.open({ clock, maxStalenessSeconds: 5 });
      const chain = [domain.issue()];
      rmSync(domain.home.governanceFolder, { recursive: true });
      monotonicMs = 4000;
      wallMs += 4000;
      const call = () => domain.call(chain, { audience: opened.audience, clock });
      expect(codeOf(await opened.governor.run(call(), effect))).toBe('permit');
      // Six seconds have passed, whatever the wall says.
      monotonicMs = 6000;
      wallMs -= 4000;
      const before = runs;
      expect(codeOf(await opened.governor.run(call(), effect))).toBe('revocation.stale');
      expect(runs).toBe(before);
      await opened.close();
    }));

  it('a governance log put back, database and checkpoint together, is noticed by the execution log', () =>
    inDomain(async (domain) => {
      let opened = await domain.open();
      await opened.close();
      const copy = join(domain.folder, 'copy');
      cpSync(domain.home.governanceFolder, copy, { recursive: true });
      expect(await revokeAgent(domain)).toBeUndefined();
      opened = await domain.open();
      const call = domain.call([domain.issue()], { audience: opened.audience });
      expect(codeOf(await opened.governor.run(call, effect))).toBe('revocation.revoked');
      await opened.close();
      rmSync(domain.home.governanceFolder, { recursive: true });
      renameSync(copy, domain.home.governanceFolder);
      expect(await refusalOf(domain)).toMatch(/^revocation\.stale: .*decisions of fs stood on/);
    }));

  it('an execution log that is gone gives back neither its proofs nor its counters', () =>
    inDomain(async (domain) => {
      let opened = await domain.open();
      const chain = [domain.issue({ writ: { use: { maxUses: 1 } } })];
      const action = domain.call(chain, { audience: opened.audience });
      expect(codeOf(await opened.governor.run(action, effect))).toBe('permit');
      await opened.close();
      const folder = domain.home.executionLogFolder('fs');
      renameSync(folder, join(domain.folder, 'aside'));
      expect(await refusalOf(domain)).toMatch(/^log\.unavailable: .*does not hold it any more/);
      renameSync(join(domain.folder, 'aside'), folder);
      opened = await domain.open();
      const before = runs;
      expect(codeOf(await opened.governor.run(action, effect))).toBe('replay.detected');
      expect(runs).toBe(before);
      await opened.close();
      // The log of one name under another is not taken for it.
      renameSync(folder, domain.home.executionLogFolder('other'));
      await expect(domain.open({ name: 'other' })).rejects.toThrow(/log\.unavailable/);
    }));
});

describe('a governor that cannot be opened', () => {
  it('says so and lets go of its log, which the next one takes', () =>
    inDomain(async (domain) => {
      const obstacle = join(domain.home.executionLogFolder('fs'), 'log.vkey');
      mkdirSync(obstacle, { recursive: true, mode: 0o700 });
      expect(await refusalOf(domain)).toContain('log.unavailable: execution log fs cannot be used');
      rmSync(obstacle, { recursive: true });
      const opened = await domain.open();
      expect(opened.log).toBe('fs');
      await opened.close();
    }));
});

describe('a measurement', () => {
  it('grows old, however often the upstream lists its tools anew', () =>
    inDomain(async (domain) => {
      let aheadMs = 0;
      const clock: Clock = {
        wallMs: () => Date.now() + aheadMs,
        monotonicMs: () => performance.now() + aheadMs,
      };
      const opened = await domain.open({ clock });
      const chain = [domain.issue({ writ: { environment: { maxAgeSeconds: 30 } } })];
      const call = () =>
        opened.governor.run(domain.call(chain, { audience: opened.audience, clock }), effect);
      const before = runs;
      expect(codeOf(await call())).toBe('permit');
      aheadMs = 60_000;
      opened.setTools([]);
      expect(codeOf(await call())).toBe('environment.stale');
      expect(runs).toBe(before + 1);
      await opened.close();
    }));
});

describe('clocks', () => {
  it('one that jumps a day ahead and back makes no proof good again, in this life or the next', () =>
    inDomain(async (domain) => {
      let aheadMs = 0;
      const clock: Clock = { wallMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() };
      let opened = await domain.open({ clock });
      const chain = [domain.issue({ expSeconds: nowSeconds() + 200_000 })];
      const call = () => domain.call(chain, { audience: opened.audience, clock });
      const action = call();
      expect(codeOf(await opened.governor.run(action, effect))).toBe('permit');
      // A day later enough happens that old proofs are forgotten.
      aheadMs = 86_400_000;
      for (let round = 0; round < 5; round += 1) {
        expect(codeOf(await opened.governor.run(call(), effect))).toBe('permit');
      }
      aheadMs = 0;
      const before = runs;
      expect(codeOf(await opened.governor.run(action, effect))).toBe('replay.detected');
      await opened.close();
      opened = await domain.open({ clock });
      expect(codeOf(await opened.governor.run(action, effect))).toBe('replay.detected');
      expect(runs).toBe(before);
      await opened.close();
    }));
});

describe('parents', () => {
  let domain: TestDomain;
  let opened: OpenedGovernor;
  let chain: string[];

  beforeAll(async () => {
    domain = await TestDomain.create();
    opened = await domain.open();
    chain = [domain.issue()];
    await opened.governor.run(domain.call(chain, { audience: opened.audience }), effect);
  });
  afterAll(async () => {
    await opened.close();
    domain.dispose();
  });

  const childOf = async (parent: string) => {
    const before = runs;
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience, parent }),
      effect,
    );
    expect(runs - before).toBe(outcome.verdict === 'permit' ? 1 : 0);
    return codeOf(outcome);
  };

  /** A permit of `fs` under another id, in a log of another name. */
  const forgedEntry = (id: string, log: string) => {
    const [receipt] = decisionsOf(domain);
    return serializeReceipt({ ...receipt, id, log: domain.home.executionOrigin(log) });
  };

  it('of a log that nobody enrolled do not count, and no bundle vouches for them', async () => {
    const id = '00000000-0000-7000-8000-00000000000a';
    const directory = domain.home.executionLogFolder('evil');
    const origin = domain.home.executionOrigin('evil');
    const evil = await openSqliteLog({ directory, origin, signer: SigningKey.generate() });
    await evil.append({ entry: forgedEntry(id, 'evil'), keys: [`execution:${id}`] });
    await evil.close();
    expect(await childOf(id)).toBe('lineage.parent_unknown');
    expect(isDenial(await bundleExecution(domain.home, id))).toBe(true);
    expect(existsSync(domain.home.logKeyFile('evil'))).toBe(false);
    // Nor for those of a log of ours, under a key that was put in the place of its own.
    const [known] = decisionsOf(domain);
    const keyFile = domain.home.logKeyFile('fs');
    renameSync(keyFile, `${keyFile}.aside`);
    must(writeKeyFile(keyFile, SigningKey.generate()) ?? {});
    expect(await bundleExecution(domain.home, known?.id ?? '')).toMatchObject({ code: 'log.unavailable' });
    renameSync(`${keyFile}.aside`, keyFile);
    expect(isDenial(await bundleExecution(domain.home, known?.id ?? ''))).toBe(false);
  });

  it('count once a checkpoint of their enrolled log covers them, however they got into its database', async () => {
    const sibling = await domain.open({ name: 'sibling' });
    const genuine = await sibling.governor.run(
      domain.call([domain.issue({ audiences: [sibling.audience] })], { audience: sibling.audience }),
      effect,
    );
    expect(codeOf(genuine)).toBe('permit');
    // Asked at once, it is waited for; it ran under another artifact, so it is known and refused.
    expect(await childOf(genuine.executionId)).toBe('lineage.root_mismatch');
    await sibling.close();

    // Someone who can write the files, but has no key of the log, adds to its database.
    const id = '00000000-0000-7000-8000-00000000000b';
    const directory = domain.home.executionLogFolder('sibling');
    const checkpoint = readFileSync(join(directory, 'checkpoint'));
    const added = await openSqliteLog({
      directory,
      origin: domain.home.executionOrigin('sibling'),
      signer: must(readKeyFile(domain.home.logKeyFile('sibling'))),
      publishIntervalMs: 1_000_000,
    });
    await added.append({ entry: forgedEntry(id, 'sibling'), keys: [`execution:${id}`] });
    expect(readFileSync(join(directory, 'checkpoint'))).toEqual(checkpoint);
    expect(await childOf(id)).toBe('lineage.parent_unknown');
    // Signed by its own writer it counts, and is of the artifact at hand.
    await added.checkpoint();
    expect(await childOf(id)).toBe('permit');
    await added.close();
  });

  it('copied from another log, or twice under one id, do not count', async () => {
    const id = '00000000-0000-7000-8000-00000000000c';
    const directory = domain.home.executionLogFolder('sibling');
    const log = await openSqliteLog({
      directory,
      origin: domain.home.executionOrigin('sibling'),
      signer: must(readKeyFile(domain.home.logKeyFile('sibling'))),
    });
    await log.append({ entry: forgedEntry(id, 'fs'), keys: [`execution:${id}`] });
    const twice = '00000000-0000-7000-8000-00000000000d';
    await log.append({ entry: forgedEntry(twice, 'sibling'), keys: [`execution:${twice}`] });
    await log.append({ entry: forgedEntry(twice, 'sibling'), keys: [`execution:${twice}`] });
    await log.close();
    expect(await childOf(id)).toBe('lineage.parent_unknown');
    expect(await childOf(twice)).toBe('lineage.parent_unknown');
  });

  it('whose environment is revoked have no children', async () => {
    const parent = await opened.governor.run(domain.call(chain, { audience: opened.audience }), effect);
    const digest = decisionsOf(domain).find(({ id }) => id === parent.executionId)?.environment?.digest ?? '';
    // The runtime moves on to another measurement; the one the parent ran in is revoked.
    opened.setTools([]);
    expect(
      await revoke(
        domain.home,
        { handle: 'environment', value: digest },
        { actor: 'test', atSeconds: nowSeconds() },
      ),
    ).toBeUndefined();
    expect(await childOf(parent.executionId)).toBe('lineage.parent_denied');
  });

  it('rewritten in the database of our own log do not count', async () => {
    const denied = await opened.governor.run(
      { ...domain.call(chain, { audience: opened.audience }), toolDigest: digestOf('another') },
      effect,
    );
    expect(codeOf(denied)).toBe('environment.tool_changed');
    expect(await childOf(denied.executionId)).toBe('lineage.parent_denied');
    const [permit] = decisionsOf(domain);
    const entry = serializeReceipt({ ...permit, id: denied.executionId });
    const database = new DatabaseSync(join(domain.home.executionLogFolder('fs'), 'log.sqlite'));
    database
      .prepare('UPDATE entry SET body = ?, leaf = ? WHERE idx = ?')
      .run(entry, leafHash(entry), denied.receiptIndex ?? -1);
    database.close();
    expect(await childOf(denied.executionId)).toBe('lineage.parent_unknown');
  });
});

describe('requests made so that their denial could not be recorded', () => {
  let domain: TestDomain;
  let opened: OpenedGovernor;

  beforeAll(async () => {
    domain = await TestDomain.create();
    opened = await domain.open();
  });
  afterAll(async () => {
    await opened.close();
    domain.dispose();
  });

  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const hostile: [string, string, (call: Action) => Partial<Record<keyof Action, unknown>>][] = [
    ['a lone surrogate for a tool', 'request.malformed', () => ({ tool: '\ud800' })],
    ['a tool that is no string', 'request.malformed', () => ({ tool: 7 })],
    ['a tool of a megabyte', 'request.too_large', () => ({ tool: 'x'.repeat(1_000_000) })],
    ['arguments in a circle', 'request.malformed', () => ({ args: cyclic })],
    ['arguments that are no JSON', 'request.malformed', () => ({ args: { a: 1n } })],
    ['no arguments', 'request.malformed', () => ({ args: undefined })],
    [
      'arguments that canonicalize to others',
      'request.malformed',
      () => ({ args: { path: '/etc', toJSON: () => ({ path: '/a' }) } }),
    ],
    ['a lone surrogate in the arguments', 'request.malformed', () => ({ args: { path: '\udfff' } })],
    ['arguments of 18 MB', 'request.too_large', () => ({ args: { path: '\u0001'.repeat(3_000_000) } })],
    [
      'a chain of 20 MB',
      'artifact.malformed',
      () => ({ presentation: { aat_chain: ['x'.repeat(20_000_000)], aat_pop: 'x' } }),
    ],
    [
      'a chain of a million tokens',
      'artifact.malformed',
      () => ({ presentation: { aat_chain: Array.from({ length: 1_000_000 }, () => ''), aat_pop: 'x' } }),
    ],
    [
      'a proof of 20 MB',
      'identity.proof_invalid',
      ({ presentation }) => ({ presentation: { ...presentation, aat_pop: 'x'.repeat(20_000_000) } }),
    ],
    [
      'a presentation of other types',
      'internal.unexpected',
      () => ({ presentation: { aat_chain: 5, aat_pop: undefined } }),
    ],
  ];

  it.each(hostile)('%s', async (_name, code, change) => {
    const call = domain.call([domain.issue()], { audience: opened.audience });
    const before = runs;
    const outcome = await opened.governor.run({ ...call, ...change(call) } as Action, effect);
    expect(codeOf(outcome)).toBe(code);
    expect(runs).toBe(before);
    expect(outcome.receiptIndex).toBeTypeOf('number');
    expect(decisionsOf(domain).find(({ id }) => id === outcome.executionId)).toMatchObject({
      verdict: 'deny',
      code,
    });
  });

  it('long ids and names of a whole chain, each character six bytes in a receipt', async () => {
    const long = (length: number) => '\u0001'.repeat(length);
    const chain = [
      domain.issue({
        maxDepth: 8,
        writ: { attribution: { owner: long(512), onBehalfOf: Array.from({ length: 13 }, () => long(512)) } },
      }),
    ];
    for (let depth = 1; depth <= 8; depth += 1) {
      const link = { holder: domain.agent.publicKey, iatSeconds: nowSeconds(), jti: `${long(255)}${depth}` };
      chain.push(must(deriveToken({ parent: chain, signer: domain.agent, ...link })));
    }
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience, tool: long(1024) }),
      effect,
    );
    expect(codeOf(outcome)).toBe('scope.tool_not_granted');
    const recorded = decisionsOf(domain).find(({ id }) => id === outcome.executionId);
    expect(recorded?.artifact?.tokenIds).toHaveLength(9);
  });

  it('a jti or a budget of unusual characters is consumed like any other, once', async () => {
    const chain = [domain.issue({ writ: { use: { budgets: [{ argument: 'a\0b', total: 3 }] } } })];
    const args: JsonObject = { path: '/a', 'a\0b': 2 };
    const base = { leaf: chain, signer: domain.agent, tool: WRITE, args, audience: opened.audience };
    const action = (jti: string): Action => ({
      ...domain.call(chain, { audience: opened.audience, args }),
      presentation: { aat_chain: chain, aat_pop: createProof({ ...base, iatSeconds: nowSeconds(), jti }) },
    });
    const odd = action(`a\0${'\u{1f600}'.repeat(100)}`);
    expect(codeOf(await opened.governor.run(odd, effect))).toBe('permit');
    expect(codeOf(await opened.governor.run(odd, effect))).toBe('replay.detected');
    expect(codeOf(await opened.governor.run(action('b'), effect))).toBe('scope.use_exhausted');
  });

  it('more counters than a log takes at once', async () => {
    const names = Array.from({ length: 64 }, (_, index) => `a${index}`);
    const budgets = names.map((argument) => ({ argument, total: 5 }));
    const chain = [domain.issue({ writ: { use: { maxUses: 3, budgets } } })];
    const args = { path: '/a', ...Object.fromEntries(names.map((name) => [name, 1])) };
    const outcome = await opened.governor.run(
      domain.call(chain, { audience: opened.audience, args }),
      effect,
    );
    expect(codeOf(outcome)).toBe('scope.use_exhausted');
  });

  it('all replay as they were recorded, or are withheld', async () => {
    await opened.governor.settle();
    const log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
    const governance = openSqliteLogReader(domain.home.governanceFolder);
    const evidenceKey = must(readEvidenceKey(domain.home.evidenceKeyFile));
    const readEvidence = (address: string) => log.readEvidence(address, evidenceKey);
    const report = await replayLog({ log, governance, readEvidence, evidenceKey });
    expect(report.different).toEqual([]);
    expect(report.same).toBe(5);
    log.close();
    governance.close();
  });
});

describe('what happens while a permit is made durable', () => {
  it('changes nothing of the arguments that were checked, however deep', () =>
    inDomain(async (domain) => {
      const opened = await domain.open();
      const inner = { deep: 'checked' };
      const args = Object.freeze({ path: '/a', nested: inner });
      let seen = '';
      const action = domain.call([domain.issue()], { audience: opened.audience, args });
      const running = opened.governor.run(action, async () => {
        seen = JSON.stringify(args);
        return { status: 'succeeded', value: 1 };
      });
      expect(() => Object.assign(inner, { deep: 'other' })).toThrow(TypeError);
      expect(codeOf(await running)).toBe('permit');
      expect(seen).toContain('checked');
      await opened.close();
    }));

  it('is seen before the effect: an artifact that ended, a governance log that went silent', () =>
    inDomain(async (domain) => {
      let aheadMs = 0;
      const clock: Clock = {
        wallMs: () => Date.now() + aheadMs,
        monotonicMs: () => performance.now() + aheadMs,
      };
      const opened = await domain.open({ clock });
      const before = runs;
      const chain = [domain.issue({ expSeconds: nowSeconds() + 60 })];
      const running = opened.governor.run(domain.call(chain, { audience: opened.audience, clock }), effect);
      // The disk stalls for an hour.
      aheadMs = 3_600_000;
      const outcome = await running;
      expect(codeOf(outcome)).toBe('artifact.expired');
      expect(runs).toBe(before);
      await opened.governor.settle();
      expect(decisionsOf(domain)).toMatchObject([{ verdict: 'permit' }]);
      await opened.close();
    }));
});

describe('a home', () => {
  it('whose domain file or folder others may write is refused, and every folder of it is private', () =>
    inDomain(async (domain) => {
      const opened = await domain.open();
      await opened.close();
      const folder = domain.home.folder;
      expect(isDenial(openHome(folder))).toBe(false);
      for (const path of [folder, join(folder, 'domain.json')]) {
        const { mode } = statSync(path);
        chmodSync(path, mode | 0o020);
        expect(openHome(path === folder ? path : folder)).toMatchObject({ code: 'request.malformed' });
        chmodSync(path, mode & 0o777);
      }
      for (const name of readdirSync(folder, { withFileTypes: true, recursive: true })) {
        const { mode } = statSync(join(name.parentPath, name.name));
        expect(mode & 0o022, name.name).toBe(0);
      }
    }));
});
