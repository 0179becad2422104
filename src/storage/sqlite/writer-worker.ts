import { parentPort, workerData } from 'node:worker_threads';
import { runWriter } from './writer-loop.ts';

// What is loaded from here on delays every opening of a log: modules import what they need by its file, not by an index.
if (parentPort === null) throw new TypeError('this module is the entry of the writer thread');
runWriter(parentPort, workerData);
