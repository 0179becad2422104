import type { BatchWriter, WriterOptions } from './batch-writer.ts';
import { LogDatabase } from './log-database.ts';

/** The writer in the caller's own thread: for a few appends in a short-lived process, without a thread's start-up. */
export function openInlineWriter(options: WriterOptions): BatchWriter {
  const log = LogDatabase.open(options);
  return {
    opened: log.opened,
    onFailure: undefined,
    commit: async (requests, nowSeconds) => log.commit(requests, nowSeconds),
    eraseEvidence: async (addresses) => log.eraseEvidence(addresses),
    close: async () => log.close(),
  };
}
