import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryOf, HOSTILE, idOf } from '../../src/lineage/entry.test-support.ts';
import { ProvDocument } from '../../src/lineage/index.ts';

const PYTHON = '/usr/bin/python3';

/** Reads a PROV-JSON file with the `prov` library and prints how many records it has, and it as PROV-N. */
const READER = `
import sys
from prov.model import ProvDocument
document = ProvDocument.deserialize(sys.argv[1], format='json')
print(len(document.get_records()))
print(document.get_provn())
`;

const hasReader = () => spawnSync(PYTHON, ['-c', 'import prov.model'], { stdio: 'ignore' }).status === 0;

function install(): boolean {
  if (hasReader()) return true;
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const quiet = { stdio: 'ignore', timeout: 110_000 } as const;
  spawnSync('apt-get', ['update', '-q'], quiet);
  spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'python3-prov'], quiet);
  return hasReader();
}

describe('PROV-JSON', () => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-prov-'));
  let installed = false;

  beforeAll(() => {
    installed = install();
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is read whole by the prov library, also what hostile names are in', ({ skip }) => {
    if (!installed) skip('python3-prov is not installed: apt-get install python3-prov');
    const document = new ProvDocument('test.local');
    const entries = [
      entryOf({ id: idOf(1) }),
      entryOf({ id: idOf(2), parent: idOf(1), log: 'db' }),
      entryOf({ id: idOf(3), parent: idOf(2), decision: { verdict: 'deny', code: 'policy.forbidden' } }),
      // Receipts are well-formed Unicode: their parser refuses others.
      ...HOSTILE.map((text) => text.toWellFormed()).map((text) =>
        entryOf({ id: text, parent: idOf(1), decision: { tool: text, agent: text } }),
      ),
    ];
    for (const entry of entries) document.add(entry);
    const file = join(folder, 'lineage.json');
    writeFileSync(file, JSON.stringify(document));
    const { prefix: _, ...kinds } = document.toJSON();
    const records = Object.values(kinds).reduce<number>(
      (sum, kind) => sum + Object.keys(kind ?? {}).length,
      0,
    );
    const [count, ...provn] = execFileSync(PYTHON, ['-c', READER, file], { encoding: 'utf8' }).split('\n');
    expect(Number(count)).toBe(records);
    const text = provn.join('\n');
    expect(text).toContain(`activity(execution:${idOf(3)}, 2023-11-14T22:13:20.123000+00:00`);
    expect(text).toContain(`wasInformedBy(`);
    expect(text).toContain("prov:type='prov:Person'");
    expect(text.match(/actedOnBehalfOf\(/g)?.length).toBeGreaterThan(2);
  });
});
