import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { must, nowSeconds, TestDomain } from '../../../test/support/trust-domain.ts';
import { isDenial } from '../../denial/index.ts';
import { openSqliteLogReader, verifyLog } from '../../storage/index.ts';
import { parseVkey } from '../../tlog/index.ts';
import {
  type Erasure,
  type ErasureOptions,
  Erasures,
  eraseEvidence,
  type OpenedGovernor,
  readEvidenceKey,
  replayLog,
} from '../index.ts';

let domain: TestDomain;
let opened: OpenedGovernor;
let ids: string[];
const effect = async () => ({ status: 'succeeded', value: 1 }) as const;

beforeEach(async () => {
  domain = await TestDomain.create();
  opened = await domain.open();
  const chain = [domain.issue()];
  const first = domain.call(chain, { audience: opened.audience, args: { path: '/first' } });
  ids = [];
  // The same request twice: the second is a replay, and shares the evidence of the first.
  for (const action of [
    first,
    first,
    domain.call(chain, { audience: opened.audience, args: { path: '/other' } }),
  ]) {
    ids.push((await opened.governor.run(action, effect)).executionId);
  }
});
afterEach(async () => {
  await opened.close();
  domain.dispose();
});

const erase = (change: Partial<ErasureOptions> = {}) =>
  eraseEvidence(domain.home, {
    ...{ log: 'fs', selection: { executions: new Set([ids[0] ?? '']) }, reason: 'asked to', actor: 'test' },
    ...{ atSeconds: nowSeconds(), confirm: async () => true },
    ...change,
  });

async function replay() {
  const log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
  const governance = openSqliteLogReader(domain.home.governanceFolder);
  const key = must(readEvidenceKey(domain.home.evidenceKeyFile));
  const erasures = Erasures.read(governance);
  try {
    return await replayLog({
      ...{ log, governance, evidenceKey: key },
      readEvidence: (address) => log.readEvidence(address, key),
      whyMissing: (_kind, index, { id }) => (erasures.cover(log.origin, index, id) ? 'erased' : 'lost'),
    });
  } finally {
    log.close();
    governance.close();
  }
}

/** The sealed blobs and wrapped keys that the database holds now. */
function sealedNow(): Buffer[] {
  const db = new DatabaseSync(join(domain.home.executionLogFolder('fs'), 'log.sqlite'), { readOnly: true });
  const rows = db.prepare('SELECT wrapped_key, sealed FROM evidence WHERE wrapped_key IS NOT NULL').all();
  db.close();
  return rows.flatMap((row) =>
    [row.wrapped_key, row.sealed].map((bytes) => Buffer.from(bytes instanceof Uint8Array ? bytes : [])),
  );
}

function bytesOnDisk(): Buffer {
  const folder = domain.home.executionLogFolder('fs');
  const files = readdirSync(folder).filter((name) => name.startsWith('log.sqlite'));
  return Buffer.concat(files.map((name) => readFileSync(join(folder, name))));
}

const governanceSize = () => {
  const reader = openSqliteLogReader(domain.home.governanceFolder);
  const { size } = reader.head();
  reader.close();
  return size;
};

describe('eraseEvidence', () => {
  it('destroys a request and its key, says so in the governance log, and leaves a log that verifies', async () => {
    await opened.close();
    const before = sealedNow();
    const done = must(await erase()) as Erasure;
    expect(done).toMatchObject({
      erased: 1,
      confirmed: true,
      walRemains: false,
      plan: { selected: 1, shared: 1 },
    });

    const kept = sealedNow();
    const gone = before.filter((bytes) => !kept.some((other) => other.equals(bytes)));
    expect(gone).toHaveLength(2);
    const disk = bytesOnDisk();
    const fragments: number[] = [];
    for (const bytes of gone) {
      // Not a fragment of it either: pages are overwritten whole. Keys begin with a salt that others have, too.
      for (let at = 16; at + 16 <= bytes.length; at += 16) {
        if (disk.includes(bytes.subarray(at, at + 16))) fragments.push(at);
      }
    }
    expect(fragments).toEqual([]);
    expect(kept.every((bytes) => disk.includes(bytes.subarray(0, 32)))).toBe(true);

    const verifier = must(
      parseVkey(readFileSync(join(domain.home.executionLogFolder('fs'), 'log.vkey'), 'utf8').trim()),
    );
    const verified = await verifyLog(domain.home.executionLogFolder('fs'), verifier);
    expect(verified.problems).toEqual([]);
    // The replayed request is gone with the first one, and accounted for.
    expect(await replay()).toMatchObject({ same: 1, erased: 2, lost: 0, withheld: 0, differences: 0 });
  });

  it('selects by subject and by time, and names all before an index where time alone decides', async () => {
    await opened.close();
    const plans: unknown[] = [];
    const look = (selection: ErasureOptions['selection']) =>
      erase({ selection, confirm: async (plan) => plans.push(plan) === 0 });
    await look({ subject: domain.home.agent('worker') });
    await look({ subject: domain.home.agent('nobody') });
    await look({ beforeMs: Date.now() + 60_000 });
    await look({ beforeMs: 0 });
    expect(plans).toMatchObject([
      { selected: 3, beforeIndex: 0, executions: ids },
      { selected: 3, beforeIndex: expect.any(Number), executions: [] },
    ]);
    expect(sealedNow().length).toBeGreaterThan(6);

    must(await erase({ selection: { beforeMs: Date.now() + 60_000 } }));
    expect(await replay()).toMatchObject({ same: 0, erased: 3, lost: 0 });
  });

  it('erases nothing while a gateway writes the log, nor where governance cannot record it', async () => {
    const size = governanceSize();
    const locked = await erase();
    expect(isDenial(locked) && locked.detail).toMatch(/already has a writer/);
    expect(governanceSize()).toBe(size);
    await opened.close();
    const before = sealedNow();
    const refused = await erase({ reason: 'two\nlines' });
    expect(isDenial(refused)).toBe(true);
    const unasked = must(await erase({ confirm: async () => false })) as Erasure;
    expect(unasked.confirmed).toBe(false);
    expect(sealedNow()).toEqual(before);
    expect(governanceSize()).toBe(size);
  });

  it('is found where it was done without a word in the governance log', async () => {
    await opened.close();
    const db = new DatabaseSync(join(domain.home.executionLogFolder('fs'), 'log.sqlite'));
    db.exec('UPDATE evidence SET wrapped_key = NULL, sealed = NULL');
    db.close();
    expect(await replay()).toMatchObject({ same: 0, erased: 0, lost: 3 });
  });
});
