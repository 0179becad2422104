import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerData } from './thread-messages.ts';

// A thread doesn't inherit the compile cache, and compiling is most of its start: enable it before anything is loaded.
const { options, compileCache }: WorkerData = workerData;
if (compileCache !== undefined) enableCompileCache(compileCache);

const { runWriter } = await import('./writer-loop.ts');
if (parentPort === null) throw new TypeError('this module is the entry of the writer thread');
runWriter(parentPort, options);
