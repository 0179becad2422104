import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SigningKey } from '../key/index.ts';
import { formatVkey } from '../tlog/index.ts';
import { makeFolder, writ } from './run.test-support.ts';

let folder = '';
let remove = () => {};

beforeAll(() => {
  ({ folder, remove } = makeFolder());
  const { publicKey } = SigningKey.fromSeed(Buffer.alloc(32, 3));
  writeFileSync(join(folder, 'log.vkey'), `${formatVkey('local/execution/fs', publicKey)}\n`);
});
afterAll(() => remove());

async function verify(content: string | Uint8Array | undefined, key = 'log.vkey'): Promise<void> {
  if (content !== undefined) writeFileSync(join(folder, 'bundle.json'), content);
  const name = content === undefined ? 'absent.json' : 'bundle.json';
  const ran = await writ({ cwd: folder }, 'receipt', 'verify', name, '--log-key', key, '--json');
  expect(ran).toMatchObject({ code: 1, err: '' });
  expect(ran.json).toMatchObject({ verified: false });
  const { problems } = ran.json as { problems: string[] };
  expect(problems.length).toBeGreaterThan(0);
  expect(ran.out.length).toBeLessThan(2000);
  expect(ran.out).not.toMatch(/\n\s+at |node:internal/);
}

describe('writ receipt verify', () => {
  it('does not verify what is no bundle, whatever it is', async () => {
    const entry = { entry: 'e30=', proof: 'c2sp.org/tlog-proof@v1\nindex 0\n\nx\n1\nAAAA\n\n— x AAAA\n' };
    const bundle = {
      type: 'writ/bundle@v2',
      about: { execution: 'x' },
      evidence: {},
      governance: { vkey: '', checkpoint: '', consistency: [], entries: [] },
    };
    for (const content of [
      undefined,
      '',
      '{',
      'null',
      '[]',
      '{}',
      Buffer.from([0xff, 0xfe, 0x00, 0x80]),
      '['.repeat(500_000),
      ' '.repeat(33 * 1024 * 1024),
      '{"type":"writ/bundle@v2"}',
      '{"type":"writ/bundle@v2","type":"writ/bundle@v2"}',
      JSON.stringify({ ...bundle, executions: [{ decision: { entry: '!', proof: '' } }] }),
      JSON.stringify({ ...bundle, executions: [{ decision: entry, outcome: entry }] }),
      JSON.stringify({ ...bundle, executions: [{ decision: entry }], evidence: { request: [] } }),
      JSON.stringify({ ...bundle, executions: [] }),
    ]) {
      await verify(content);
    }
  });

  it('does not verify under what is no key', async () => {
    writeFileSync(join(folder, 'garbage.vkey'), Buffer.alloc(4096, 0xff));
    writeFileSync(join(folder, 'long.vkey'), 'x'.repeat(100_000));
    for (const key of ['absent.vkey', 'garbage.vkey', 'long.vkey', '.', '/dev/zero']) await verify('{}', key);
  });

  it('is wrong usage without a key', async () => {
    const ran = await writ({ cwd: folder }, 'receipt', 'verify', 'bundle.json', '--json');
    expect(ran.code).toBe(2);
    expect(ran.json.error).toMatchObject({ code: 'usage' });
  });

  it('stays clean for any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 6 }), async (json) => {
        await verify(json);
      }),
      { numRuns: 200 },
    );
  });
});
