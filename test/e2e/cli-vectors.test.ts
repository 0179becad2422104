import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runWrit } from './cli-program.ts';

const FILE = new URL('../../../shared/vectors/aat02-j1.json', import.meta.url);

interface Vectors {
  readonly params: { readonly now: number; readonly audience: string };
  readonly trust_anchors: unknown;
  readonly vectors: readonly {
    readonly id: string;
    readonly tool: string;
    readonly args: unknown;
    readonly chain_compact: readonly string[];
    readonly pop_compact: string;
    readonly expected: { readonly verdict: string };
  }[];
}

const folder = mkdtempSync(join(tmpdir(), 'writ-vectors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.skipIf(!existsSync(FILE))(
  'the program agrees with AAT-02 J.1 (skipped where ../shared/vectors is absent)',
  async () => {
    const { params, trust_anchors, vectors } = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;
    writeFileSync(join(folder, 'anchors.json'), JSON.stringify(trust_anchors));
    for (const { id, tool, args, chain_compact, pop_compact, expected } of vectors) {
      writeFileSync(
        join(folder, 'call.json'),
        JSON.stringify({ aat_chain: chain_compact, aat_pop: pop_compact }),
      );
      const { code, out } = await runWrit(
        folder,
        ...['artifact', 'verify', 'call.json', '--anchors', 'anchors.json', '--audience', params.audience],
        ...['--tool', tool, '--args', JSON.stringify(args), '--now', String(params.now), '--json'],
      );
      const permitted = expected.verdict === 'PERMIT';
      expect(JSON.parse(out), id).toMatchObject({ verdict: permitted ? 'permit' : 'deny' });
      expect(code, id).toBe(permitted ? 0 : 1);
    }
  },
);
