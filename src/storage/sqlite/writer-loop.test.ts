import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { packBatch } from './packed-batch.ts';
import type { FromWriter, ToWriter } from './thread-messages.ts';
import { runWriter } from './writer-loop.ts';

it('a writer that fails still closes when it is asked to, also when it was asked behind what failed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'writ-loop-'));
  const { port1, port2 } = new MessageChannel();
  const answers: string[] = [];
  const ended = new Promise<void>((resolve) => port1.once('close', () => resolve()));
  port1.on('message', ({ type }: FromWriter) => answers.push(type));
  const send = (message: ToWriter) => port1.postMessage(message);
  // An amount no caller can pass through `append`: the transaction fails half-way.
  const bad = { entry: Buffer.from('bad'), counters: [{ key: 'c', limit: 1, amount: Number.NaN }] };
  send({ type: 'commit', batch: packBatch([bad]), nowSeconds: 0 });
  send({ type: 'close' });
  runWriter(port2, { directory, origin: 'loop.example/log', commitKey: new Uint8Array(32) });
  await ended;
  expect(answers).toEqual(['opened', 'failed', 'closed']);
  rmSync(directory, { recursive: true, force: true });
});
