import { mkdtempSync, rmSync } from 'node:fs';
import { request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../codec/index.ts';
import { hasMlDsa, MlDsaSigningKey, SigningKey } from '../key/index.ts';
import { WitnessState } from '../storage/index.ts';
import {
  COSIGNATURE_V1,
  formatAddCheckpoint,
  formatCheckpoint,
  leafHash,
  MerkleTree,
  noteSigner,
  noteVerifier,
  openNote,
  signNote,
} from '../tlog/index.ts';
import { createWitnessServer, Witness, type WitnessEvent, type WitnessOptions } from './index.ts';

const ORIGIN = 'log.example/a';
const key = (seed: number) => SigningKey.fromSeed(new Uint8Array(32).fill(seed));
const log = noteSigner(ORIGIN, key(1));
const logs = new Map([[ORIGIN, [noteVerifier(ORIGIN, key(1).publicKey)]]]);
const witnessKey = noteVerifier('w.example', key(2).publicKey, COSIGNATURE_V1);

function treeOf(size: number, text = 'entry'): MerkleTree {
  const tree = new MerkleTree();
  for (let at = 0; at < size; at += 1) tree.append(leafHash(Buffer.from(`${text} ${at}`)));
  return tree;
}
const TREE = treeOf(20);
const FORK = treeOf(20, 'forged');

const noteOf = (size: number, tree = TREE, signer = log): string =>
  signNote(formatCheckpoint({ origin: ORIGIN, size, rootHash: tree.root(size) }), [signer]);
const bodyOf = (oldSize: number, size: number, tree = TREE): string =>
  formatAddCheckpoint({
    oldSize,
    proof: oldSize <= size ? tree.consistencyProof(oldSize, size) : [],
    checkpoint: noteOf(size, tree),
  });

let directory: string;
let state: WitnessState;
let server: Server;
let url: string;
let events: WitnessEvent[];
let now: number;

async function start(options: Partial<WitnessOptions> = {}, requestTimeoutMs = 10_000): Promise<void> {
  state = WitnessState.open(directory);
  const witness = new Witness({
    logs,
    state,
    name: 'w.example',
    signers: [key(2)],
    nowSeconds: () => now,
    ...options,
  });
  events = [];
  server = createWitnessServer({ witness, onEvent: (event) => events.push(event), requestTimeoutMs });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  state.close();
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'writ-witness-'));
  WitnessState.create(directory);
  now = 1_700_000_000;
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});

async function add(body: string | Uint8Array) {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: Buffer.from(body) });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}
const seenSize = () => state.read(ORIGIN)?.size;

describe('POST /add-checkpoint', () => {
  it('answers 200 with a cosignature line, and has stored what it signed', async () => {
    const { status, body } = await add(bodyOf(0, 5));
    expect(status).toBe(200);
    const opened = openNote(`${noteOf(5)}${body}`, [witnessKey]);
    expect(opened).toMatchObject({ signatures: [{ name: 'w.example', timestampSeconds: now, line: body }] });
    expect(state.read(ORIGIN)).toMatchObject({ size: 5, note: noteOf(5), atSeconds: now });
  });

  it('goes on from what was cosigned, with a proof', async () => {
    for (const [old, size] of [
      [0, 0],
      [0, 1],
      [1, 7],
      [7, 7],
      [7, 20],
    ] as const) {
      expect((await add(bodyOf(old, size))).status).toBe(200);
      expect(seenSize()).toBe(size);
    }
  });

  it('ignores signatures of unknown keys', async () => {
    const crowded = `${bodyOf(0, 5)}${signNote('x\n', [noteSigner('other.example', key(7))]).slice(3)}`;
    expect((await add(crowded)).status).toBe(200);
    expect(state.read(ORIGIN)?.note).toBe(noteOf(5));
  });

  it.each([
    ['nothing', ''],
    ['no old size', bodyOf(0, 5).slice('old 0\n'.length)],
    ['a signed old size', bodyOf(0, 5).replace('old 0', 'old +0')],
    ['an old size with a leading zero', bodyOf(0, 5).replace('old 0', 'old 00')],
    ['a proof line that is no hash', bodyOf(0, 5).replace('old 0\n', 'old 0\nAAAA\n')],
    [
      '64 proof lines',
      bodyOf(0, 5).replace('old 0\n', `old 0\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}`),
    ],
    ['no checkpoint', 'old 0\n\nx\n'],
    ['a note that is no checkpoint', `old 0\n\n${signNote('x\n', [log])}`],
    ['carriage returns', bodyOf(0, 5).replaceAll('\n', '\r\n')],
    ['an old size beyond the checkpoint', bodyOf(6, 5)],
  ])('answers 400 to %s', async (_, body) => {
    expect((await add(body)).status).toBe(400);
    expect(seenSize()).toBeUndefined();
  });

  it('answers 400 to bytes that are not UTF-8', async () => {
    expect((await add(Buffer.concat([Buffer.from(bodyOf(0, 5)), Buffer.of(0xff)]))).status).toBe(400);
  });

  it('answers 404 to a log it does not know', async () => {
    const text = formatCheckpoint({ origin: 'log.example/b', size: 5, rootHash: TREE.root(5) });
    const checkpoint = signNote(text, [noteSigner('log.example/b', key(1))]);
    expect((await add(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint }))).status).toBe(404);
  });

  it('answers 403 to a checkpoint that its log did not sign', async () => {
    for (const checkpoint of [
      noteOf(5, TREE, noteSigner(ORIGIN, key(9))),
      noteOf(5).replace('\n5\n', '\n6\n'),
      noteOf(5, TREE, noteSigner('w.example', key(2))),
    ]) {
      expect((await add(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint }))).status).toBe(403);
    }
    expect(seenSize()).toBeUndefined();
  });

  it('answers 409 with its size to another old size', async () => {
    const conflict = (size: number) => ({ status: 409, type: 'text/x.tlog.size', body: `${size}\n` });
    expect(await add(bodyOf(3, 5))).toEqual(conflict(0));
    await add(bodyOf(0, 5));
    expect(await add(bodyOf(0, 9))).toEqual(conflict(5));
    expect(await add(bodyOf(4, 9))).toEqual(conflict(5));
    expect(await add(bodyOf(2, 3))).toEqual(conflict(5));
    expect(seenSize()).toBe(5);
  });

  it('answers 409 to another tree of the same size, with both signed heads', async () => {
    await add(bodyOf(0, 5));
    const { status, type, body } = await add(bodyOf(5, 5, FORK));
    expect([status, type]).toEqual([409, 'application/json']);
    expect(JSON.parse(body)).toMatchObject({ heads: [noteOf(5), noteOf(5, FORK)] });
    expect(events.at(-1)).toMatchObject({ answer: { heads: [noteOf(5), noteOf(5, FORK)] } });
    expect(state.read(ORIGIN)?.note).toBe(noteOf(5));
  });

  it('answers 422 where the proof does not show that the log only grew', async () => {
    expect(
      (await add(bodyOf(0, 5).replace('old 0\n', `old 0\n${Buffer.alloc(32).toString('base64')}\n`))).status,
    ).toBe(422);
    await add(bodyOf(0, 5));
    const { status, body } = await add(bodyOf(5, 9, FORK));
    expect(status).toBe(422);
    expect(JSON.parse(body)).toMatchObject({ heads: [noteOf(5), noteOf(9, FORK)] });
    expect((await add(formatAddCheckpoint({ oldSize: 5, proof: [], checkpoint: noteOf(9) }))).status).toBe(
      422,
    );
    expect(
      (
        await add(
          formatAddCheckpoint({ oldSize: 5, proof: TREE.consistencyProof(5, 8), checkpoint: noteOf(9) }),
        )
      ).status,
    ).toBe(422);
    expect(seenSize()).toBe(5);
  });

  it('cosigns one of two forks that come at once, however many come', async () => {
    const bodies = Array.from({ length: 24 }, (_, at) =>
      bodyOf(0, 10 + (at % 5), at % 2 === 0 ? TREE : FORK),
    );
    const answers = await Promise.all(bodies.map(add));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const seen = state.read(ORIGIN);
    const winner = bodies[answers.findIndex(({ status }) => status === 200)];
    expect(winner?.endsWith(seen?.note ?? '-')).toBe(true);
  });

  it('cosigns nothing when its state cannot be stored, and goes on refusing', async () => {
    const broken = Object.create(state) as WitnessState;
    let writes = 0;
    broken.advance = () => {
      writes += 1;
      throw new Error('disk full');
    };
    await stop();
    await start({ state: broken });
    expect((await add(bodyOf(0, 5))).status).toBe(500);
    expect(events).toEqual([{ event: 'failed', reason: 'disk full' }]);
    expect(writes).toBe(1);
  });

  it('was killed after it stored and before it answered: it still cosigns no fork of it', async () => {
    await stop();
    const dying = {
      publicKey: key(2).publicKey,
      sign: () => {
        throw new Error('killed');
      },
    };
    await start({ signers: [dying] });
    expect((await add(bodyOf(0, 5))).status).toBe(500);
    await stop();
    await start();
    expect(seenSize()).toBe(5);
    expect((await add(bodyOf(0, 5, FORK))).status).toBe(409);
    expect((await add(bodyOf(5, 6, FORK))).status).toBe(422);
    expect((await add(bodyOf(5, 5))).status).toBe(200);
  });

  it('never states an earlier time than before', async () => {
    const timeOf = ({ body }: { body: string }, size: number) => {
      const opened = openNote(`${noteOf(size)}${body}`, [witnessKey]);
      return 'signatures' in opened ? opened.signatures[0]?.timestampSeconds : undefined;
    };
    await add(bodyOf(0, 5));
    now -= 100;
    expect(timeOf(await add(bodyOf(5, 6)), 6)).toBe(1_700_000_000);
    now -= 1_000;
    expect((await add(bodyOf(6, 7))).status).toBe(503);
    expect(seenSize()).toBe(6);
    now = 1_700_000_001;
    expect(timeOf(await add(bodyOf(6, 7)), 7)).toBe(1_700_000_001);
  });

  it.skipIf(!hasMlDsa())(
    'cosigns with ML-DSA-44 beside Ed25519, and not what that does not cover',
    async () => {
      const mlDsa = MlDsaSigningKey.generate();
      await stop();
      await start({ signers: [key(2), mlDsa] });
      const { body } = await add(bodyOf(0, 5));
      const opened = openNote(`${noteOf(5)}${body}`, [
        witnessKey,
        noteVerifier('w.example', mlDsa.publicKey),
      ]);
      expect('signatures' in opened && opened.signatures.map(({ type }) => type)).toEqual([4, 6]);
      const text = formatCheckpoint({
        origin: ORIGIN,
        size: 6,
        rootHash: TREE.root(6),
        extensions: ['more'],
      });
      const extended = formatAddCheckpoint({
        oldSize: 5,
        proof: TREE.consistencyProof(5, 6),
        checkpoint: signNote(text, [log]),
      });
      await stop();
      await start({ signers: [mlDsa] });
      expect((await add(extended)).status).toBe(400);
      expect(seenSize()).toBe(5);
      await stop();
      await start({ signers: [key(2), mlDsa] });
      const both = await add(extended);
      expect([both.status, both.body.split('\n').length]).toEqual([200, 2]);
    },
  );
});

describe('the server of a witness', () => {
  it('shows what was cosigned last', async () => {
    const path = `${url}/checkpoint/${digestOf(ORIGIN).slice('sha256:'.length)}`;
    expect((await fetch(path)).status).toBe(404);
    await add(bodyOf(0, 5));
    expect(await (await fetch(path)).text()).toBe(noteOf(5));
    expect((await fetch(path, { method: 'DELETE' })).status).toBe(405);
  });

  it('has nothing else', async () => {
    expect((await fetch(`${url}/add-checkpoint`)).status).toBe(405);
    for (const path of [
      '/',
      '/add-checkpoint/',
      '/add-checkpoint?x',
      '/checkpoint/',
      '/checkpoint/../x',
      '/x',
    ]) {
      expect((await fetch(`${url}${path}`, { method: 'POST', body: bodyOf(0, 5) })).status).toBe(404);
    }
    expect(seenSize()).toBeUndefined();
  });

  it('reads no more than it must: a long body, chunked', async () => {
    const status = await new Promise((resolve, reject) => {
      const sending = request(`${url}/add-checkpoint`, { method: 'POST' }, (response) =>
        resolve(response.statusCode),
      );
      sending.on('error', reject);
      sending.write(Buffer.alloc(200 * 1024, 'a'));
    });
    expect(status).toBe(413);
  });

  it('does not wait for a body that does not come', async () => {
    await stop();
    await start({}, 50);
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('close', () => resolve(text));
      socket.write('POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nold 0');
    });
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(seenSize()).toBeUndefined();
  });

  it('bounds connections', () => {
    expect(server.maxConnections).toBe(256);
  });
});

describe('the state of a witness', () => {
  it('is not made anew in place of one that is gone', () => {
    expect(() => WitnessState.create(directory)).toThrow('is there already');
    expect(() => WitnessState.open(join(directory, 'elsewhere'))).toThrow('could cosign a fork');
  });

  it('is shared by two processes without a fork', async () => {
    const other = WitnessState.open(directory);
    const head = (tree: MerkleTree) => ({
      size: 5,
      rootHash: tree.root(5),
      note: noteOf(5, tree),
      atSeconds: now,
    });
    state.advance(ORIGIN, () => head(TREE));
    const seen: unknown[] = [];
    other.advance(ORIGIN, (known) => {
      seen.push(known?.note);
      return { status: 409 };
    });
    expect(seen).toEqual([noteOf(5)]);
    expect(state.read(ORIGIN)?.note).toBe(noteOf(5));
    other.close();
  });
});
