import { parentPort, workerData } from 'node:worker_threads';
import { isDenial } from '../../denial/index.ts';
import type { ReadingRequest, ReadingResponse } from './read-in-thread.ts';
import { answerReading } from './reading-task.ts';

// From `readInThread` alone.
const { folder, task } = workerData as ReadingRequest;
const answer = await answerReading(folder, task);
// A denial is an object of a class, which does not cross threads.
const response: ReadingResponse = isDenial(answer)
  ? { code: answer.code, detail: answer.detail }
  : { json: JSON.stringify(answer) };
parentPort?.postMessage(response);
