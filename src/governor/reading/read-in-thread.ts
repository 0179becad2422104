import { Worker } from 'node:worker_threads';
import { type Denial, deny, type ReasonCode } from '../../denial/index.ts';
import type { Home } from '../home.ts';
import type { ReadingAnswers, ReadingTask } from './reading-task.ts';

/** What the thread is handed, and what it hands back. */
export interface ReadingRequest {
  readonly folder: string;
  readonly task: ReadingTask;
}
export type ReadingResponse =
  | { readonly json: string }
  | { readonly code: ReasonCode; readonly detail: string };

/** Threads at once, each with memory of its own: more questions are turned away. */
const MAX_THREADS = 4;
const MAX_HEAP_MIB = 2048;

let threads = 0;

/**
 * Answers a question in a thread of its own: decisions that are asked for meanwhile do not wait for it.
 *
 * @param signal ends the thread.
 * @returns the answer as JSON; `log.unavailable` where too many are being answered, or it took too long.
 */
export function readInThread<Task extends ReadingTask>(
  home: Home,
  task: Task,
  signal: AbortSignal,
): Promise<ReadingAnswers[Task['kind']] | Denial> {
  if (signal.aborted) return Promise.resolve(deny('log.unavailable', 'nobody waits for the answer'));
  if (threads >= MAX_THREADS) {
    return Promise.resolve(deny('log.unavailable', 'too many questions of this kind are being answered'));
  }
  threads += 1;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./reading-worker.${extension}`, import.meta.url), {
    workerData: { folder: home.folder, task } satisfies ReadingRequest,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
  });
  return new Promise((resolve) => {
    let ended = false;
    const end = (answer: ReadingAnswers[Task['kind']] | Denial) => {
      if (ended) return;
      ended = true;
      threads -= 1;
      signal.removeEventListener('abort', abort);
      resolve(answer);
      void worker.terminate();
    };
    const abort = () => end(deny('log.unavailable', 'it took too long, or nobody waits for the answer'));
    signal.addEventListener('abort', abort);
    worker.once('message', (response: ReadingResponse) =>
      end('json' in response ? JSON.parse(response.json) : deny(response.code, response.detail)),
    );
    worker.once('error', (error) => end(deny('log.unavailable', error.message)));
    worker.once('exit', () => end(deny('log.unavailable', 'the answer broke off')));
  });
}
