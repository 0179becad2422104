import { getCompileCacheDir } from 'node:module';
import { dirname, extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { deny, isReasonCode } from '../denial/index.ts';
import type { Component, UpstreamCommand } from '../environment/index.ts';
import { denied, failure } from './cli-error.ts';

/** What the thread answers: a denial does not survive the way between threads as one. */
export type Measured =
  | { readonly components: readonly Component[] }
  | { readonly code: string; readonly detail: string };

export interface MeasureRequest {
  readonly upstream: UpstreamCommand;
  readonly compileCache: string | undefined;
}

/**
 * Measures the enforcer and the upstream that a command would start, in a thread of its own: reading and hashing the
 * programs takes longer than everything else at the start, which goes on beside it.
 */
export async function measureInThread(upstream: UpstreamCommand): Promise<readonly Component[]> {
  const entry = new URL(`./measure-worker${extname(import.meta.url)}`, import.meta.url);
  const cache = getCompileCacheDir();
  // Node names a folder of its version inside the cache's directory; it wants the directory back.
  const workerData: MeasureRequest = {
    upstream,
    compileCache: cache === undefined ? undefined : dirname(cache),
  };
  const worker = new Worker(entry, { workerData, name: 'writ-measure' });
  const measured = await new Promise<Measured>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () =>
      reject(failure('environment.unmeasured', 'the environment cannot be measured')),
    );
  });
  if ('components' in measured) return measured.components;
  const { code, detail } = measured;
  throw denied(
    deny(isReasonCode(code) ? code : 'environment.unmeasured', detail),
    `is ${upstream.command} installed, and on the PATH of the client?`,
  );
}
