import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type LogFault, LogUnavailable } from '../../tlog/index.ts';
import type { BatchOutcome, BatchWriter, OpenedHead, WriterOptions } from './batch-writer.ts';
import { LogLocked } from './failure.ts';
import { packBatch } from './packed-batch.ts';
import type { FromWriter, ToWriter } from './thread-messages.ts';
import { workerEnvironment } from './worker-environment.ts';

type Answer =
  | Exclude<FromWriter, { type: 'failed' | 'committed' }>
  | { type: 'outcome'; outcome: BatchOutcome };

interface Waiter {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
}

/** Starts the writer in a thread of its own, so that an fsync never stalls the caller's event loop. */
export async function openThreadWriter(options: WriterOptions): Promise<BatchWriter> {
  const entry = new URL(`./writer-worker${extname(import.meta.url)}`, import.meta.url);
  // Batches are short-lived and small: a small young generation is enough for them.
  const worker = new Worker(entry, {
    workerData: options,
    env: workerEnvironment(),
    name: 'writ-log',
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  const waiters: Waiter[] = [];
  let failure: LogUnavailable | undefined;
  let closed = false;

  const fail = (reason: string, fault: LogFault = 'failed'): void => {
    if (failure === undefined) {
      failure = fault === 'locked' ? new LogLocked(reason) : new LogUnavailable(reason, { fault });
      if (!closed) writer.onFailure?.(failure);
    }
    for (const waiter of waiters.splice(0)) waiter.reject(failure);
  };
  const answer = (value: Answer): void => waiters.shift()?.resolve(value);

  worker.on('message', (message: FromWriter) => {
    if (message.type === 'failed') fail(message.reason, message.fault);
    else if (message.type === 'committed') {
      for (const outcome of message.outcomes) answer({ type: 'outcome', outcome });
    } else answer(message);
  });
  // Whatever ends the thread ends the log: no append is ever left waiting.
  worker.on('error', (error) => fail(`the log's writer thread failed: ${error.message}`));
  worker.on('messageerror', () => fail("the log's writer thread sent what cannot be read"));
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  void ended.then(() => fail("the log's writer thread has ended"));

  const waitFor = (): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) reject(failure);
      else waiters.push({ resolve, reject });
    });
  const ask = async (message: ToWriter, transfer: ArrayBuffer[] = []): Promise<Answer> => {
    // Posted first: what cannot be posted must not leave a waiter behind, or answers would go to the wrong one.
    if (failure === undefined) worker.postMessage(message, transfer);
    return waitFor();
  };

  const writer: BatchWriter & { opened: OpenedHead } = {
    opened: { size: 0, rootHash: new Uint8Array(), isSealed: false },
    onFailure: undefined,
    async commit(requests, nowSeconds) {
      const batch = packBatch(requests);
      const reply = await ask({ type: 'commit', batch, nowSeconds }, [batch.bytes.buffer]);
      if (reply.type !== 'outcome') throw new LogUnavailable('the writer thread answered out of turn');
      return reply.outcome;
    },
    async eraseEvidence(addresses) {
      const reply = await ask({ type: 'erase', addresses });
      return reply.type === 'erased' ? reply.erased : 0;
    },
    async close() {
      if (closed) return;
      closed = true;
      // A failed writer closes too, and answers; one that is gone needs none of this. Ending gives up the lock.
      if (failure === undefined) await ask({ type: 'close' }).catch(() => undefined);
      else worker.postMessage({ type: 'close' } satisfies ToWriter);
      await ended;
    },
  };

  const first = await waitFor().catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  if (first.type !== 'opened') throw new LogUnavailable('the writer thread answered out of turn');
  writer.opened = first.head;
  return writer;
}
