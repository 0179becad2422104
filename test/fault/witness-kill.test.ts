import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writ } from '../../src/cli/run.test-support.ts';
import { isDenial } from '../../src/denial/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import { WitnessState } from '../../src/storage/index.ts';
import {
  formatAddCheckpoint,
  formatCheckpoint,
  formatVkey,
  leafHash,
  MerkleTree,
  noteSigner,
  openNote,
  parseVkey,
  signNote,
} from '../../src/tlog/index.ts';
import { endOf, startWrit } from '../e2e/cli-program.ts';

const ORIGIN = 'log.example/killed';
const key = SigningKey.fromSeed(new Uint8Array(32).fill(77));
const log = noteSigner(ORIGIN, key);
const VKEY = formatVkey(ORIGIN, key.publicKey);
const ROUNDS = 4;

function treeOf(text: string): MerkleTree {
  const tree = new MerkleTree();
  for (let at = 0; at < 4_000; at += 1) tree.append(leafHash(Buffer.from(`${text} ${at}`)));
  return tree;
}
const TREE = treeOf('entry');
const FORK = treeOf('forged');
const noteOf = (size: number, tree = TREE) =>
  signNote(formatCheckpoint({ origin: ORIGIN, size, rootHash: tree.root(size) }), [log]);
const bodyOf = (oldSize: number, size: number, tree = TREE) =>
  formatAddCheckpoint({
    oldSize,
    proof: tree.consistencyProof(oldSize, size),
    checkpoint: noteOf(size, tree),
  });

let folder: string;
let child: ChildProcessWithoutNullStreams | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-witness-kill-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Starts `writ witness serve`; resolves to its address and the vkeys it says. */
async function serve(): Promise<{ url: string; vkeys: string[] }> {
  child = startWrit(folder, '--json', 'witness', 'serve', 'w', '--listen', '127.0.0.1:0', '--log', VKEY);
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
  throw new Error('the witness did not start');
}

async function kill(): Promise<void> {
  if (child === undefined) return;
  const ended = endOf(child);
  child.kill('SIGKILL');
  await ended;
}

const add = (url: string, body: string) => fetch(`${url}/add-checkpoint`, { method: 'POST', body });

/** What the state on disk says, with nobody running. */
function storedSize(): number {
  const state = WitnessState.open(join(folder, 'w'));
  try {
    return state.read(ORIGIN)?.size ?? 0;
  } finally {
    state.close();
  }
}

it('a witness that is killed -9 at any time has stored whatever it gave a cosignature for', async () => {
  expect((await writ({ cwd: folder }, 'witness', 'new', 'w', '--name', 'w.example')).code).toBe(0);
  let size = 0;
  let cosigned = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { url, vkeys } = await serve();
    const witnessKey = parseVkey(vkeys[0] ?? '');
    if (isDenial(witnessKey)) throw new Error(witnessKey.detail);
    // The fork of what was stored before the kill is refused, as if nothing had happened.
    if (size > 0) {
      expect((await add(url, bodyOf(size, size, FORK))).status).toBe(409);
      expect((await add(url, bodyOf(size, size + 1, FORK))).status).toBe(422);
      expect((await add(url, bodyOf(0, size + 1, FORK))).status).toBe(409);
    }
    // Each round is killed after another number of answers, while one more request is under way.
    for (let step = 0; step < round; step += 1) {
      const answer = await add(url, bodyOf(size, size + 3));
      const line = await answer.text();
      expect(answer.status).toBe(200);
      expect(openNote(`${noteOf(size + 3)}${line}`, [witnessKey])).toHaveProperty('signatures');
      size += 3;
      cosigned = size;
    }
    const under = add(url, bodyOf(size, size + 3)).then(
      ({ status }) => status,
      () => undefined,
    );
    const last = add(url, bodyOf(size, size + 3)).catch(() => undefined);
    await Promise.all([kill(), last]);
    if ((await under) === 200) cosigned = size + 3;
    const stored = storedSize();
    expect(stored).toBeGreaterThanOrEqual(cosigned);
    expect([size, size + 3]).toContain(stored);
    size = stored;
  }
  expect(cosigned).toBeGreaterThan(0);
});

it('a witness that lost its state does not start', async () => {
  await writ({ cwd: folder }, 'witness', 'new', 'w', '--name', 'w.example');
  rmSync(join(folder, 'w', 'witness.sqlite'));
  const ran = await writ({ cwd: folder }, '--json', 'witness', 'serve', 'w', '--log', VKEY);
  expect(ran.json).toMatchObject({ error: { message: expect.stringContaining('could cosign a fork') } });
  expect((await writ({ cwd: folder }, 'witness', 'new', 'w', '--name', 'w.example')).code).toBe(1);
});

it('writ witness says what is wrong with how it is called', async () => {
  const cases: readonly (readonly string[])[] = [
    ['new', 'w'],
    ['new', 'w', '--name', 'a b'],
    ['serve', 'w'],
    ['serve', 'w', '--log', 'x'],
    ['serve', 'w', '--log', VKEY, '--listen', '127.0.0.1'],
    ['serve', 'w', '--log', VKEY, '--listen', '127.0.0.1:70000'],
    ['serve', 'w', '--policy', 'missing'],
  ];
  for (const argv of cases) {
    expect((await writ({ cwd: folder }, 'witness', ...argv)).code, argv.join(' ')).toBe(2);
  }
});
