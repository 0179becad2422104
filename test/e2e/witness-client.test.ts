import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SigningKey } from '../../src/key/index.ts';
import { WitnessClient } from '../../src/mesh/index.ts';
import {
  COSIGNATURE_V1,
  checkQuorum,
  formatCheckpoint,
  formatVkey,
  leafHash,
  MerkleTree,
  noteCosigner,
  noteSigner,
  noteVerifier,
  openCheckpoint,
  parseWitnessPolicy,
  QuorumUnmet,
  SplitView,
  signatureLine,
  signNote,
} from '../../src/tlog/index.ts';
import { must } from '../support/trust-domain.ts';

const ORIGIN = 'test.local/execution/fs';
const AT = 1_700_000_000;
const keyOf = (seed: number) => SigningKey.fromSeed(new Uint8Array(32).fill(seed));
const log = noteSigner(ORIGIN, keyOf(100));
const logKey = noteVerifier(ORIGIN, keyOf(100).publicKey);
const cosignerOf = (seed: number, name: string, at = AT) => noteCosigner(name, keyOf(seed), () => at);
const textOf = (note: string) => note.slice(0, note.indexOf('\n\n') + 1);

function treeOf(size: number, text = 'entry'): MerkleTree {
  const tree = new MerkleTree();
  for (let at = 0; at < size; at += 1) tree.append(leafHash(Buffer.from(`${text} ${at}`)));
  return tree;
}

const noteOf = (tree: MerkleTree, signer = log, size = tree.size): string =>
  signNote(formatCheckpoint({ origin: ORIGIN, size, rootHash: tree.root(size) }), [signer]);

interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly body: string;
}

/** What a server on loopback answers; a test sets it. */
let answer: (request: { method: string; oldSize: number; note: string }) => Answer | undefined;
let requests: { method: string; oldSize: number }[] = [];
const answering: RequestListener = (request: IncomingMessage, response: ServerResponse) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    const asked = {
      method: request.method ?? '',
      oldSize: Number(body.split('\n', 1)[0]?.slice('old '.length)),
      note: body.slice(body.indexOf('\n\n') + 2),
    };
    requests.push(asked);
    const answered = answer(asked);
    if (answered === undefined) return;
    response.writeHead(answered.status ?? 200, {
      'content-type': answered.type ?? 'text/plain',
      location: '/elsewhere',
    });
    response.end(answered.body);
  });
};
const server = createServer(answering);
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** One witness is the quorum: what it answers decides. */
async function cosign(
  tree: MerkleTree,
  options: { knownSize?: number; timeoutMs?: number } = {},
): Promise<string> {
  requests = [];
  const vkey = formatVkey('w1.example', keyOf(1).publicKey, COSIGNATURE_V1);
  const policy = must(parseWitnessPolicy(`witness w1 ${vkey} ${url}\nquorum w1\n`));
  const client = new WitnessClient({
    policy,
    logKey,
    nowSeconds: () => AT,
    timeoutMs: options.timeoutMs ?? 10_000,
  });
  const note = await client.cosign(noteOf(tree), {
    knownSize: options.knownSize ?? 0,
    prove: (oldSize) => tree.consistencyProof(oldSize, tree.size),
  });
  const opened = must(
    openCheckpoint(
      note,
      logKey,
      policy.witnesses.map(({ verifier }) => verifier),
    ),
  );
  expect(checkQuorum(policy, opened.cosignatures)).toEqual({ met: true });
  expect(client.check(note)).toEqual({ met: true });
  expect(client.check(noteOf(tree)).met).toBe(false);
  return note;
}

const honest = (note: string): Answer => ({ body: signatureLine(textOf(note), cosignerOf(1, 'w1.example')) });

describe('asking a witness', () => {
  it('gives the cosigned checkpoint', async () => {
    answer = ({ note }) => honest(note);
    const note = await cosign(treeOf(3));
    expect(note).toBe(`${noteOf(treeOf(3))}${signatureLine(textOf(note), cosignerOf(1, 'w1.example'))}`);
    expect(requests).toMatchObject([{ method: 'POST', oldSize: 0 }]);
  });

  it('starts from the size published last, and goes on from the one the witness names', async () => {
    answer = ({ oldSize, note }) =>
      oldSize === 2 ? honest(note) : { status: 409, type: 'text/x.tlog.size', body: '2\n' };
    await cosign(treeOf(7), { knownSize: 5 });
    expect(requests.map(({ oldSize }) => oldSize)).toEqual([5, 2]);
  });

  it('follows a witness that others submit to in between, but not for ever', async () => {
    let named = 0;
    answer = () => {
      named += 1;
      return { status: 409, type: 'text/x.tlog.size', body: `${named}\n` };
    };
    await expect(cosign(treeOf(50))).rejects.toThrow(/another old size each time/);
    expect(requests.map(({ oldSize }) => oldSize)).toEqual([0, 1, 2, 3]);
  });

  it('takes the signature of the witness and nothing else that comes with it', async () => {
    answer = ({ note }) => {
      const other = signatureLine(textOf(note), cosignerOf(2, 'w2.example'));
      return { body: `${other}${honest(note).body}` };
    };
    expect(await cosign(treeOf(3))).not.toContain('w2.example');
  });

  it('ends when the witness does not answer', async () => {
    answer = () => undefined;
    await expect(cosign(treeOf(3), { timeoutMs: 50 })).rejects.toThrow(/w1: no answer in time/);
  });
});

describe('a witness that does not do its part counts for nothing:', () => {
  const lie = async (answered: (note: string) => Answer): Promise<void> => {
    answer = ({ note }) => answered(note);
    await expect(cosign(treeOf(3))).rejects.toThrow(QuorumUnmet);
    expect(requests.length).toBeGreaterThan(0);
  };
  const line = (text: string, ...cosigner: Parameters<typeof cosignerOf>): Answer => ({
    body: signatureLine(text, cosignerOf(...cosigner)),
  });

  it.each<[string, (note: string) => Answer]>([
    ['another key under its name', (note) => line(textOf(note), 9, 'w1.example')],
    ['its key under another name', (note) => line(textOf(note), 1, 'w2.example')],
    ['the signature of the log', (note) => ({ body: note.slice(note.indexOf('\n\n') + 2) })],
    ['another root', () => line(textOf(noteOf(treeOf(3, 'other'))), 1, 'w1.example')],
    ['another size', () => line(textOf(noteOf(treeOf(4))), 1, 'w1.example')],
    ['another log', (note) => line(textOf(note).replace(ORIGIN, 'test.local/execution/x'), 1, 'w1.example')],
    ['no time', (note) => line(textOf(note), 1, 'w1.example', 0)],
    ['a time to come', (note) => line(textOf(note), 1, 'w1.example', AT + 301)],
    [
      'a plain signature',
      (note) => ({ body: signatureLine(textOf(note), noteSigner('w1.example', keyOf(1))) }),
    ],
    ['nothing', () => ({ body: '' })],
    ['a page', () => ({ body: '<html></html>' })],
    ['text in front of its line', (note) => ({ body: `x\n${honest(note).body}` })],
    ['an answer without end', () => ({ body: 'A'.repeat(1_000_000) })],
    ['a whole other note', (note) => ({ body: `\n${note}${honest(note).body}` })],
  ])('it answers with %s', (_, answered) => lie(answered));

  it.each<[string, string]>([
    ['a size the log has not reached', '1000000\n'],
    ['the very size it was asked about', '0\n'],
    ['no size', 'many\n'],
    ['a size without its newline', '2'],
    ['a size beyond any log', '99999999999999999999\n'],
  ])('it names %s', (_, body) => lie(() => ({ status: 409, type: 'text/x.tlog.size', body })));

  it.each([301, 400, 403, 404, 409, 418, 422, 500])('it answers %d', (status) =>
    lie(() => ({ status, body: 'no' })),
  );

  it.each<[string, string]>([
    ['of another key', noteOf(treeOf(3, 'forged'), noteSigner(ORIGIN, keyOf(50)))],
    [
      'of another log',
      signNote(textOf(noteOf(treeOf(3, 'x'))).replace(ORIGIN, 'x'), [noteSigner('x', keyOf(100))]),
    ],
    ['that this one extends', noteOf(treeOf(2))],
    ['that is none', 'x'],
  ])('it shows a head %s as a fork', (_, head) =>
    lie(() => ({ status: 409, body: JSON.stringify({ heads: [head, head] }) })),
  );
});

describe('a head under the log’s own key that does not go with this one', () => {
  const refusal = async (tree: MerkleTree): Promise<SplitView> => {
    const refused: unknown = await cosign(tree).catch((error: unknown) => error);
    if (refused instanceof SplitView) return refused;
    throw new Error(`not a split view: ${String(refused)}`);
  };

  it.each([
    ['of the same size', 3, 409],
    ['of fewer entries', 2, 422],
  ])('%s is a proven fork', async (_, size, status) => {
    const seen = noteOf(treeOf(size, 'forged'));
    answer = ({ note }) => ({
      status,
      type: 'application/json',
      body: JSON.stringify({ heads: [seen, note] }),
    });
    const { heads, message } = await refusal(treeOf(3));
    expect(heads).toEqual([seen, noteOf(treeOf(3))]);
    for (const head of heads) {
      expect(message).toContain(head);
      must(openCheckpoint(head, logKey));
    }
  });

  it('of more entries is a proven rollback', async () => {
    const seen = noteOf(treeOf(9));
    answer = ({ method }) =>
      method === 'GET' ? { body: seen } : { status: 409, type: 'text/x.tlog.size', body: '9\n' };
    const { heads, message } = await refusal(treeOf(3));
    expect(heads).toEqual([seen, noteOf(treeOf(3))]);
    expect(message).toContain('has seen 9 entries of a log that now has 3');
  });

  it('is only told of by a witness that cannot show it: that proves nothing', async () => {
    answer = ({ method }) =>
      method === 'GET' ? { status: 404, body: '' } : { status: 409, type: 'text/x.tlog.size', body: '9\n' };
    await expect(cosign(treeOf(3))).rejects.toThrow(/it has seen 9 entries, more than the 3 there are/);
  });
});
