import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from './worker-environment.ts';

/** An integrity check that runs beside its caller, in a thread of its own. */
export interface IntegrityThread {
  /**
   * What `integrityProblems` says of the log's database. INVARIANT: undefined where the thread did not start or ended
   * without an answer, whatever the reason: that is no finding, and the caller has to look for itself.
   */
  readonly problems: Promise<string[] | undefined>;
  stop(): Promise<void>;
}

export function startIntegrityThread(directory: string): IntegrityThread {
  const entry = new URL(`./integrity-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(entry, {
    workerData: directory,
    env: workerEnvironment(),
    name: 'writ-integrity',
  });
  const problems = new Promise<string[] | undefined>((resolve) => {
    worker.once('message', resolve);
    worker.once('messageerror', () => resolve(undefined));
    worker.once('error', () => resolve(undefined));
    worker.once('exit', () => resolve(undefined));
  });
  return {
    problems,
    async stop() {
      await worker.terminate();
    },
  };
}
