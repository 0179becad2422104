import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { AppendRequest } from '../../tlog/index.ts';
import { causeOf, faultOf } from '../driver-fault.ts';
import type { BatchOutcome, WriterOptions } from './batch-writer.ts';
import { LogDatabase } from './log-database.ts';
import { unpackBatch } from './packed-batch.ts';
import type { FromWriter, ToWriter } from './thread-messages.ts';

/** Bounds one transaction, and so the time that the first of its requests waits. */
const MAX_REQUESTS_PER_COMMIT = 2_048;
const IDLE_AFTER_MS = 50;

/** What a batch takes of a shared commit. */
interface Share {
  readonly start: number;
  readonly count: number;
}

/** The writer thread's life: opens the log, then commits what arrives until it is told to close or fails. */
export function runWriter(port: MessagePort, options: WriterOptions): void {
  const send = (message: FromWriter): void => port.postMessage(message);
  try {
    const log = LogDatabase.open(options);
    serve(port, log, send);
    send({ type: 'opened', head: log.opened });
  } catch (error) {
    send({ type: 'failed', reason: causeOf(error), fault: faultOf(error) });
    port.close();
  }
}

function serve(port: MessagePort, log: LogDatabase, send: (message: FromWriter) => void): void {
  const waiting: ToWriter[] = [];
  let idle: NodeJS.Timeout | undefined;
  let open = true;

  /** Group commit: batches that arrived while the last commit was syncing share the next one. */
  const commitWaiting = (): void => {
    const requests: AppendRequest[] = [];
    const shares: Share[] = [];
    let nowSeconds = 0;
    for (let next = waiting[0]; next?.type === 'commit'; next = waiting[0]) {
      if (requests.length > 0 && requests.length + next.batch.requests.length > MAX_REQUESTS_PER_COMMIT)
        break;
      shares.push({ start: requests.length, count: next.batch.requests.length });
      for (const request of unpackBatch(next.batch)) requests.push(request);
      nowSeconds = Math.max(nowSeconds, next.nowSeconds);
      waiting.shift();
    }
    const { results, head } = log.commit(requests, nowSeconds);
    const outcomes = shares.map(
      ({ start, count }): BatchOutcome => ({ results: results.slice(start, start + count), head }),
    );
    send({ type: 'committed', outcomes });
    log.tidy(false);
  };

  const end = (): void => {
    open = false;
    log.close();
    send({ type: 'closed' });
    port.close();
  };

  const work = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (next.type === 'commit') {
        commitWaiting();
      } else {
        waiting.shift();
        if (next.type === 'erase') {
          send({ type: 'erased', erased: log.eraseEvidence(next.addresses) });
        } else {
          end();
          return;
        }
      }
      drain();
    }
  };

  const drain = (): void => {
    for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) {
      waiting.push(more.message);
    }
  };

  const guarded = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      send({ type: 'failed', reason: causeOf(error), fault: faultOf(error) });
      // INVARIANT: a log that failed still closes. The request to may have come behind what failed.
      if (waiting.splice(0).some(({ type }) => type === 'close')) end();
    }
  };

  port.on('message', (message: ToWriter) => {
    clearTimeout(idle);
    waiting.push(message);
    guarded(() => {
      drain();
      work();
    });
    if (open) idle = setTimeout(() => guarded(() => log.tidy(true)), IDLE_AFTER_MS);
    idle?.unref();
  });
}
