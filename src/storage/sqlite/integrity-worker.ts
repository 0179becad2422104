import { parentPort, workerData } from 'node:worker_threads';
import { integrityProblems } from './integrity.ts';
import { closeQuietly, openForReading } from './schema.ts';

const db = openForReading(workerData);
try {
  parentPort?.postMessage(integrityProblems(db));
} finally {
  closeQuietly(db);
}
