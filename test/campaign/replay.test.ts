import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDenial } from '../../src/denial/index.ts';
import {
  Erasures,
  findInOtherLogs,
  type ReplayReport,
  readEvidenceKey,
  replayLog,
} from '../../src/governor/index.ts';
import { parseDecisionReceipt } from '../../src/receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../src/storage/index.ts';
import { must } from '../support/trust-domain.ts';
import { DecisionWorld } from './decision-world.ts';
import { Random } from './random.ts';

// The first decisions of the campaign that `node test/campaign/replay.ts` makes by the hundred thousand (docs/campaigns.md).

const DECISIONS = 800;

let world: DecisionWorld;
const logs = new Map<string, SqliteLogReader>();

beforeAll(async () => {
  world = await DecisionWorld.create({ random: new Random(3), stepMs: 1500, governanceEvery: 100 });
  await world.decide(DECISIONS, 48);
  await world.close();
  for (const name of ['fs', 'fs~2']) logs.set(name, openSqliteLogReader(world.home.executionLogFolder(name)));
});
afterAll(() => {
  for (const log of logs.values()) log.close();
  world.dispose();
});

function replay(name: string): Promise<ReplayReport> {
  const log = logs.get(name);
  if (log === undefined) throw new TypeError(name);
  const governance = openSqliteLogReader(world.home.governanceFolder);
  const evidenceKey = must(readEvidenceKey(world.home.evidenceKeyFile));
  const erasures = Erasures.read(governance);
  return replayLog({
    ...{ log, governance, evidenceKey },
    readEvidence: (address) => log.readEvidence(address, evidenceKey),
    whyMissing: (_kind, index, { id }) => (erasures.cover(log.origin, index, id) ? 'erased' : 'lost'),
    findElsewhere: (id, atMs, state) => findInOtherLogs(logs, name, id, atMs, state),
  }).finally(() => governance.close());
}

/** Decisions made while the bundle's bytes, and so the rules on what is secret, were not at hand: arguments are not kept. */
function decidedWithoutRules(name: string): number {
  const log = logs.get(name);
  const entries = log?.read(0, log.head().size) ?? [];
  return entries.filter((entry) => {
    const receipt = parseDecisionReceipt(entry);
    return !isDenial(receipt) && receipt.policy === undefined && receipt.evidence.request !== undefined;
  }).length;
}

describe('a log of random decisions', () => {
  it('replays as it was recorded', async () => {
    const [first, second] = [await replay('fs'), await replay('fs~2')];
    expect([...first.different, ...second.different]).toEqual([]);
    const withheld = decidedWithoutRules('fs');
    expect(first).toMatchObject({ differences: 0, lost: 0, erased: 0, withheld });
    expect(withheld).toBeLessThan(DECISIONS / 10);
    expect(first.same + second.same + withheld + second.withheld).toBeGreaterThan(DECISIONS - 10);
    expect(second.same).toBeGreaterThan(0);
  });

  it('holds permits and most kinds of denials', () => {
    expect(world.codes.get('permit')).toBeGreaterThan(DECISIONS / 10);
    expect(world.codes.size).toBeGreaterThan(25);
  });
});
