import { parentPort, workerData } from 'node:worker_threads';
import { isDenial } from '../../denial/index.ts';
import { type SimulationTask, simulateDomain } from './simulate-domain.ts';

// From `simulateInThread` alone.
const task = workerData as SimulationTask;
const answer = await simulateDomain({ ...task, bundle: Buffer.from(task.bundle) });
// A denial is an object of a class, which does not cross threads.
parentPort?.postMessage(isDenial(answer) ? { refused: answer.detail } : answer);
