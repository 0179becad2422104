import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, READ, TestDomain, testBundle, WRITE } from '../../../test/support/trust-domain.ts';
import { preparePolicy } from '../../policy/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import { type DecisionSources, readEvidenceKey, type SimulationReport, simulatePolicy } from '../index.ts';

let domain: TestDomain;
let log: SqliteLogReader;
let governance: SqliteLogReader;
let sources: DecisionSources;
let ids: Record<'read' | 'write' | 'child' | 'secret' | 'again' | 'bare', string>;

const effect = async () => ({ status: 'succeeded', value: 1 }) as const;

beforeAll(async () => {
  domain = await TestDomain.create(`permit (principal, action, resource);
forbid (principal, action == Writ::Action::"${WRITE}", resource) when { context.input.path like "/secret*" };`);
  const { audience, governor, close } = await domain.open();
  const chain = [domain.issue()];
  const run = async (action: Parameters<typeof governor.run>[0]) =>
    (await governor.run(action, effect)).executionId;
  const write = domain.call(chain, { audience });
  const written = await run(write);
  ids = {
    write: written,
    read: await run(domain.call(chain, { audience, tool: READ })),
    child: await run(domain.call(chain, { audience, tool: READ, parent: written })),
    secret: await run(domain.call(chain, { audience, args: { path: '/secret/a' } })),
    again: await run(write),
    bare: await run({ tool: WRITE, args: { path: '/a' }, presentation: undefined }),
  };
  await close();
  log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
  governance = openSqliteLogReader(domain.home.governanceFolder);
  const key = must(readEvidenceKey(domain.home.evidenceKeyFile));
  sources = { log, governance, readEvidence: (address) => log.readEvidence(address, key) };
});
afterAll(() => {
  log.close();
  governance.close();
  domain.dispose();
});

const simulate = (
  text: string,
  change: Partial<DecisionSources> = {},
  period = {},
): Promise<SimulationReport> =>
  simulatePolicy({ ...sources, ...change }, { policy: preparePolicy(testBundle(text)), ...period });

const changes = ({ groups }: SimulationReport) =>
  Object.fromEntries(
    groups.flatMap(({ change, now, receipts }) => receipts.map((id) => [id, `${change} ${now}`])),
  );

describe('simulatePolicy', () => {
  it('finds nothing new in the policy that was', async () => {
    const report = await simulate(`permit (principal, action, resource);
forbid (principal, action == Writ::Action::"${WRITE}", resource) when { context.input.path like "/secret*" };`);
    expect(report).toMatchObject({
      decisions: 6,
      stillPermitted: 3,
      stillDenied: 3,
      deniedBeforePolicy: 1,
      groups: [],
    });
  });

  it('lists what is newly denied, and what followed from it', async () => {
    const report = await simulate(`permit (principal, action == Writ::Action::"${READ}", resource);`);
    expect(report).toMatchObject({ newlyDenied: 2, newlyPermitted: 0, stillPermitted: 1 });
    expect(changes(report)).toEqual({
      [ids.write]: 'newlyDenied policy.not_permitted',
      [ids.child]: 'newlyDenied lineage.parent_denied',
    });
  });

  it('lists what is newly permitted, and permits neither a proof used before nor what an earlier stage denied', async () => {
    const report = await simulate('permit (principal, action, resource);');
    expect(report).toMatchObject({
      newlyPermitted: 1,
      newlyDenied: 0,
      stillDenied: 2,
      deniedBeforePolicy: 1,
    });
    expect(changes(report)).toEqual({ [ids.secret]: 'newlyPermitted permit' });
    expect(report.groups[0]).toMatchObject({
      agent: domain.home.agent('worker'),
      tool: WRITE,
      recorded: 'policy.forbidden',
    });
  });

  it('tells apart what can no longer be evaluated: policies that err, evidence that is gone', async () => {
    const failing = await simulate(`permit (principal, action, resource);
forbid (principal, action, resource) when { context.time.epochSeconds * 9000000000000 < 0 };`);
    // The child's parent cannot be evaluated, so it is denied for that.
    expect(failing).toMatchObject({ notEvaluable: 4, newlyDenied: 1, stillDenied: 1 });
    const gone = await simulate('permit (principal, action, resource);', {
      readEvidence: () => undefined,
      whyMissing: () => 'erased',
    });
    // What failed before policy needs no evidence to stay denied.
    expect(gone).toMatchObject({ notEvaluable: 5, deniedBeforePolicy: 1, decisions: 6 });
  });

  it('groups by agent, tool and codes, whatever else the details name', async () => {
    const read = `action == Writ::Action::"${READ}"`;
    const report = await simulate(`permit (principal, action, resource);
@id("one") forbid (principal, ${read}, resource) when { context.lineage.isRoot };
@id("two") forbid (principal, ${read}, resource) unless { context.lineage.isRoot };`);
    const denied = report.groups.filter(({ change }) => change === 'newlyDenied');
    expect(denied).toMatchObject([
      { tool: READ, now: 'policy.forbidden', count: 2, detail: 'forbidden by one' },
    ]);
  });

  it('looks at a period alone, and counts exactly beyond the receipts it lists', async () => {
    const none = await simulate('permit (principal, action, resource);', {}, { untilMs: 1 });
    expect(none.decisions).toBe(0);
    const many = {
      ...{
        head: () => ({ size: 60, rootHash: log.head().rootHash }),
        lookup: (key: string) => log.lookup(key),
      },
      ...{ inclusionProof: () => [], consistencyProof: () => [] },
      read: (start: number, count: number) =>
        Array.from({ length: Math.min(count, 60 - start) }, () => log.read(0, 1)[0] ?? new Uint8Array()),
    };
    const report = await simulate('forbid (principal, action, resource);', { log: many });
    expect(report.newlyDenied).toBe(60);
    expect(report.groups).toMatchObject([{ count: 60 }]);
    expect(report.groups[0]?.receipts).toHaveLength(10);
  });
});
