import { getCompileCacheDir } from 'node:module';
import { dirname, extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Denial, deny, isDenial, isReasonCode } from '../denial/index.ts';
import {
  type Component,
  isEnforcerKnown,
  keepDigests,
  measureEnforcer,
  measureUpstream,
  type OnRead,
  recallDigests,
  type UpstreamCommand,
  type WatchTarget,
} from '../environment/index.ts';
import { denied, failure } from './cli-error.ts';

/** What the thread answers: a denial does not survive the way between threads as one. */
export type Measured =
  | { readonly components: readonly Component[]; readonly read: readonly WatchTarget[] }
  | { readonly code: string; readonly detail: string };

export interface MeasureRequest {
  readonly upstream: UpstreamCommand;
  readonly compileCache: string | undefined;
  /** Where digests are kept between processes. */
  readonly digestsFile: string;
}

/**
 * Measures the enforcer and the upstream that a command would start. In a thread of its own where programs must be read
 * and hashed, which takes longer than everything else at the start; here where they are known and were not touched.
 */
export async function measure(
  upstream: UpstreamCommand,
  digestsFile: string,
  onRead?: OnRead,
): Promise<readonly Component[]> {
  const recalled = await recallDigests(digestsFile);
  if (!(await isEnforcerKnown())) return measureInThread(upstream, digestsFile, onRead);
  const [enforcer, measured] = await Promise.all([
    measureEnforcer(onRead),
    measureUpstream(upstream, onRead),
  ]);
  if (isDenial(measured)) throw unmeasured(measured, upstream);
  await keepDigests(digestsFile, recalled);
  return [...enforcer, ...measured.components];
}

async function measureInThread(
  upstream: UpstreamCommand,
  digestsFile: string,
  onRead: OnRead | undefined,
): Promise<readonly Component[]> {
  const entry = new URL(`./measure-worker${extname(import.meta.url)}`, import.meta.url);
  const cache = getCompileCacheDir();
  // Node names a folder of its version inside the cache's directory; it wants the directory back.
  const workerData: MeasureRequest = {
    upstream,
    compileCache: cache === undefined ? undefined : dirname(cache),
    digestsFile,
  };
  const worker = new Worker(entry, { workerData, name: 'writ-measure' });
  const measured = await new Promise<Measured>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () =>
      reject(failure('environment.unmeasured', 'the environment cannot be measured')),
    );
  });
  if ('components' in measured) {
    for (const target of measured.read) onRead?.(target);
    return measured.components;
  }
  const { code, detail } = measured;
  throw unmeasured(deny(isReasonCode(code) ? code : 'environment.unmeasured', detail), upstream);
}

function unmeasured(denial: Denial, { command }: UpstreamCommand): Error {
  return denied(denial, `is ${command} installed, and on the PATH of the client?`);
}
