import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { isDenial } from '../denial/index.ts';
import type { WatchTarget } from '../environment/index.ts';
import type { Measured, MeasureRequest } from './measure.ts';

const { upstream, compileCache, digestsFile } = workerData as MeasureRequest;
if (compileCache !== undefined) enableCompileCache(compileCache);
const { keepDigests, measureEnforcer, measureUpstream, recallDigests } = await import(
  '../environment/index.ts'
);
const recalled = await recallDigests(digestsFile);
const read: WatchTarget[] = [];
const onRead = (target: WatchTarget) => void read.push(target);
const [enforcer, measured] = await Promise.all([measureEnforcer(onRead), measureUpstream(upstream, onRead)]);
const answer: Measured = isDenial(measured)
  ? { code: measured.code, detail: measured.detail }
  : { components: [...enforcer, ...measured.components], read };
parentPort?.postMessage(answer);
await keepDigests(digestsFile, recalled);
