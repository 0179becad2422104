import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, nowSeconds, TestDomain, WRITE } from '../../../test/support/trust-domain.ts';
import { canonicalize, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { OUTCOME_RECEIPT } from '../../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import type { LogReader } from '../../tlog/index.ts';
import { enrollAgent, type ReplaySources, readEvidenceKey, replayLog } from '../index.ts';

let domain: TestDomain;
let log: SqliteLogReader;
let governance: SqliteLogReader;
let evidenceKey: Uint8Array;
let parentIndex: number;

beforeAll(async () => {
  domain = await TestDomain.create();
  const opened = await domain.open();
  const { audience, governor } = opened;
  const chain = [domain.issue()];
  const effect = async () => ({ status: 'succeeded', value: 1 }) as const;
  const parent = await governor.run(domain.call(chain, { audience }), effect);
  parentIndex = parent.receiptIndex ?? -1;
  await governor.run(domain.call(chain, { audience, parent: parent.executionId }), effect);
  const subject = domain.home.agent('late');
  const { publicKey: key } = domain.agent;
  // Governance moves on between decisions; that it refuses this event changes nothing.
  await enrollAgent(domain.home, { subject, key, actor: 'test', atSeconds: nowSeconds() });
  await governor.run({ tool: WRITE, args: { path: '/a' }, presentation: undefined }, effect);
  await opened.close();
  log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
  governance = openSqliteLogReader(domain.home.governanceFolder);
  evidenceKey = must(readEvidenceKey(domain.home.evidenceKeyFile));
});
afterAll(() => {
  log.close();
  governance.close();
  domain.dispose();
});

const sources = (change: Partial<ReplaySources> = {}): ReplaySources => ({
  log,
  governance,
  evidenceKey,
  readEvidence: (address) => log.readEvidence(address, evidenceKey),
  ...change,
});

/** The log as an operator would have liked it: an entry is another. */
function rewritten(index: number, change: (receipt: Record<string, JsonValue>) => JsonObject): LogReader {
  return {
    head: () => log.head(),
    lookup: (key) => log.lookup(key),
    inclusionProof: () => [],
    consistencyProof: () => [],
    read: (start, count) =>
      log.read(start, count).map((entry, offset) => {
        if (start + offset !== index) return entry;
        const receipt = JSON.parse(Buffer.from(entry).toString('utf8')) as Record<string, JsonValue>;
        return Buffer.from(canonicalize(change(receipt)));
      }),
  };
}

const NOTHING = { same: 0, differences: 0, different: [], withheld: 0, erased: 0, lost: 0, undetermined: 0 };

const differencesIn = async (change: Partial<ReplaySources>) =>
  (await replayLog(sources(change))).different.map(({ difference }) => difference);

describe('replayLog', () => {
  it('finds nothing where nothing was changed', async () => {
    expect(await replayLog(sources())).toEqual({ ...NOTHING, same: 3 });
  });

  it.each<[string, (receipt: Record<string, JsonValue>) => JsonObject, RegExp]>([
    ['agent', (receipt) => ({ ...receipt, agent: 'spiffe://test.local/agent/scapegoat' }), /agent is not/],
    [
      'arguments',
      (receipt) => ({ ...receipt, arguments: `salted-sha256:${'0'.repeat(64)}` }),
      /arguments is not/,
    ],
    ['tool', (receipt) => ({ ...receipt, tool: 'mcp://fs/tools/read_file' }), /./],
    ['proof', (receipt) => ({ ...receipt, proof: { jti: 'another', iatSeconds: 1 } }), /proof is not/],
    ['time', (receipt) => ({ ...receipt, atMs: Number(receipt.atMs) + 3_600_000 }), /derived/],
    [
      'artifact',
      (receipt) => ({ ...receipt, artifact: { ...(receipt.artifact as JsonObject), holders: ['x'] } }),
      /artifact is not/,
    ],
    ['lineage', (receipt) => ({ ...receipt, lineage: { root: 'x', depth: 0 } }), /lineage is not/],
    ['a member nobody made', (receipt) => ({ ...receipt, blessing: true }), /blessing is not/],
    [
      'governance',
      (receipt) => ({ ...receipt, governance: { ...(receipt.governance as JsonObject), rootHash: 'AAAA' } }),
      /governance log is not the one/,
    ],
    [
      'a governance log to come',
      (receipt) => ({ ...receipt, governance: { ...(receipt.governance as JsonObject), size: 99 } }),
      /shorter/,
    ],
    [
      'a log to come',
      (receipt) => ({ ...receipt, bounds: { ...(receipt.bounds as JsonObject), logSize: 99 } }),
      /knows more/,
    ],
    ['verdict', (receipt) => ({ ...receipt, verdict: 'deny', code: 'policy.forbidden' }), /derived permit/],
    ['shape', () => ({ type: 'writ/decision@v1' }), /./],
  ])('finds a receipt whose %s was changed', async (_name, change, difference) => {
    expect((await differencesIn({ log: rewritten(parentIndex, change) })).join('; ')).toMatch(difference);
  });

  it('finds arguments changed in the evidence, and says withheld where evidence is gone', async () => {
    const readEvidence = (address: string) => {
      const bytes = log.readEvidence(address, evidenceKey);
      const text = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
      return text.startsWith('{"tool"') && !text.includes('"pop"')
        ? Buffer.from(text.replace('/a', '/b'))
        : bytes;
    };
    expect(await differencesIn({ readEvidence })).toEqual(['arguments is not what the decision found']);
    expect(await replayLog(sources({ readEvidence: () => undefined }))).toEqual({ ...NOTHING, withheld: 3 });
  });

  it('knows of a parent only what its child could know', async () => {
    // An outcome that says the parent was stopped, found in the log now, was not there when the child was decided.
    const { size } = log.head();
    const outcome = Buffer.from(
      canonicalize({
        ...{ type: OUTCOME_RECEIPT, id: 'x', atMs: 1, log: 'x', status: 'terminated', durationMs: 1 },
        decision: { index: parentIndex, leafHash: '' },
      }),
    );
    const stopped: LogReader = {
      ...{ head: () => log.head(), inclusionProof: () => [], consistencyProof: () => [] },
      read: (start, count) => (start === size ? [outcome] : log.read(start, count)),
      lookup: (key) => (key.startsWith('outcome:') ? [size] : log.lookup(key)),
    };
    expect((await replayLog(sources({ log: stopped }))).different).toEqual([]);
  });

  it('does not find a parent in a log it was not given', async () => {
    const alone: LogReader = {
      ...{ head: () => log.head(), inclusionProof: () => [], consistencyProof: () => [] },
      read: (start, count) => log.read(start, count),
      lookup: () => [],
    };
    expect(await differencesIn({ log: alone })).toEqual(['recorded permit, derived lineage.parent_unknown']);
  });
});
