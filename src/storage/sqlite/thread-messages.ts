import type { LogFault } from '../../tlog/index.ts';
import type { BatchOutcome, OpenedHead } from './batch-writer.ts';
import type { PackedBatch } from './packed-batch.ts';

export type ToWriter =
  | { readonly type: 'commit'; readonly batch: PackedBatch; readonly nowSeconds: number }
  | { readonly type: 'erase'; readonly addresses: readonly string[] }
  | { readonly type: 'close' };

/** Answers come in the order of the questions, one each; `failed` answers everything from there on. */
export type FromWriter =
  | { readonly type: 'opened'; readonly head: OpenedHead }
  | { readonly type: 'committed'; readonly outcomes: readonly BatchOutcome[] }
  | { readonly type: 'erased'; readonly erased: number }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly reason: string; readonly fault: LogFault };
