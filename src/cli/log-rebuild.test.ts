import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestDomain } from '../../test/support/trust-domain.ts';
import { writ } from './run.test-support.ts';

const CALLS = 3;
const effect = async () => ({ status: 'succeeded' as const, value: 'done' });

let domain: TestDomain;
let log: string;

beforeEach(async () => {
  domain = await TestDomain.create();
  const opened = await domain.open();
  const chain = [domain.issue()];
  for (let call = 0; call < CALLS; call += 1) {
    const ran = await opened.governor.run(domain.call(chain, { audience: opened.audience }), effect);
    expect(ran).toBeDefined();
  }
  await opened.close();
  log = domain.home.executionLogFolder('fs');
});
afterEach(() => domain.dispose());

const run = (...argv: string[]) => writ({ cwd: domain.folder }, ...argv);

describe('writ log verify', () => {
  it('says what can be trusted of a log that is whole, in JSON too', async () => {
    const { code, json } = await run('log', 'verify', '--json');
    expect(code).toBe(0);
    expect(json.logs).toMatchObject([
      { log: 'governance', verified: true },
      {
        log: 'fs',
        verified: true,
        trusted: 2 * CALLS,
        firstBad: { entry: null, tile: null, checkpoint: null },
        problems: [],
        notes: [],
      },
    ]);
  });

  it('names the first bad entry, what before it can be trusted, and what to do', async () => {
    const db = new DatabaseSync(join(log, 'log.sqlite'));
    db.exec("UPDATE entry SET body = x'00' WHERE idx IN (2, 4)");
    db.close();
    const { code, json } = await run('log', 'verify', '--log', 'fs', '--json');
    expect(code).toBe(1);
    expect(json).toMatchObject({
      verified: false,
      logs: [
        {
          log: 'fs',
          trusted: 2,
          firstBad: { entry: 2 },
          problems: [{ code: 'entry_altered', where: 'entry 2' }, { where: 'entry 4' }],
        },
      ],
    });
    const { out } = await run('log', 'verify', '--log', 'fs');
    expect(out).toContain('can be trusted: entries 0 to 1 as the database has them; first bad: entry 2');
    expect(out).toContain('→ entry_altered: entries before it can be trusted');
  });

  it('names a tile and a checkpoint that are bad', async () => {
    writeFileSync(join(log, 'tile/0/000.p/6'), 'x');
    const tile = await run('log', 'verify', '--log', 'fs');
    expect(tile.out).toContain(
      'entries 0 to 5, which are all, as the database has them; first bad: tile/0/000.p/6',
    );
    expect(tile.out).toContain('writ log rebuild');
    writeFileSync(join(log, 'checkpoint'), 'x');
    const { code, out } = await run('log', 'verify', '--log', 'fs');
    expect(code).toBe(1);
    expect(out).toContain('can be trusted: nothing; first bad: the checkpoint');
  });
});

describe('writ log rebuild', () => {
  it('restores tiles and checkpoints of all logs, which then verify', async () => {
    const checkpoint = readFileSync(join(log, 'checkpoint'));
    rmSync(join(log, 'tile'), { recursive: true });
    writeFileSync(join(log, 'checkpoint'), 'garbage');
    rmSync(join(domain.home.governanceFolder, 'checkpoint'));
    const { code, json } = await run('log', 'rebuild', '--json');
    expect(json).toMatchObject({
      rebuilt: true,
      logs: [
        { log: 'governance', rebuilt: true, checkpoint: 'restored' },
        { log: 'fs', rebuilt: true, checkpoint: 'restored', size: 2 * CALLS },
      ],
    });
    expect(code).toBe(0);
    expect(readFileSync(join(log, 'checkpoint'))).toEqual(checkpoint);
    expect((await run('log', 'verify')).code).toBe(0);
    expect((await run('log', 'rebuild', '--log', 'fs')).out).toContain(
      'all tiles were right, checkpoint over 6 entries kept',
    );
  });

  it('restores the attestation log with the others', async () => {
    expect((await run('receipt', 'export', 'last', '--format', 'sigstore', '--out', 'attested')).code).toBe(
      0,
    );
    const folder = domain.home.attestationFolder;
    rmSync(join(folder, 'tile'), { recursive: true });
    expect((await run('log', 'verify')).code).toBe(1);
    const { json } = await run('log', 'rebuild', '--json');
    expect(json).toMatchObject({
      rebuilt: true,
      logs: [{ log: 'governance' }, { log: 'fs' }, { log: 'attestation', rebuilt: true, size: 1 }],
    });
    expect((await run('log', 'verify')).code).toBe(0);
  });

  it('refuses where the database went back, and says what to do', async () => {
    const older = join(domain.folder, 'older.sqlite');
    copyFileSync(join(log, 'log.sqlite'), older);
    const opened = await domain.open();
    const chain = [domain.issue()];
    await opened.governor.run(domain.call(chain, { audience: opened.audience }), effect);
    await opened.close();
    copyFileSync(older, join(log, 'log.sqlite'));
    const { code, json } = await run('log', 'rebuild', '--log', 'fs', '--json');
    expect(code).toBe(1);
    expect(json.logs).toMatchObject([{ log: 'fs', rebuilt: false, code: 'rolled_back' }]);
    expect((await run('log', 'rebuild', '--log', 'fs')).out).toContain('restore a newer log.sqlite');
  });

  it('never signs with a key that governance did not enroll', async () => {
    const other = await TestDomain.create();
    const opened = await other.open();
    await opened.close();
    cpSync(other.home.logKeyFile('fs'), domain.home.logKeyFile('fs'));
    other.dispose();
    rmSync(join(log, 'checkpoint'));
    const { code, json } = await run('log', 'rebuild', '--log', 'fs', '--json');
    expect(code).toBe(1);
    expect(json.logs).toMatchObject([{ rebuilt: false, code: 'foreign_entries' }]);
  });

  it('takes a checkpoint that was kept elsewhere, of one named log', async () => {
    const kept = join(domain.folder, 'kept', 'checkpoint');
    mkdirSync(dirname(kept));
    copyFileSync(join(log, 'checkpoint'), kept);
    rmSync(join(log, 'checkpoint'));
    writeFileSync(join(log, 'tile/0/000.p/6'), 'x');
    expect((await run('log', 'rebuild', '--log', 'fs')).code).toBe(1);
    expect((await run('log', 'rebuild', '--checkpoint', kept)).code).toBe(2);
    expect((await run('log', 'rebuild', '--log', 'fs', '--checkpoint', kept)).code).toBe(0);
    expect((await run('log', 'verify')).code).toBe(0);
  });
});
