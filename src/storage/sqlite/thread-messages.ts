import type { BatchOutcome, Head } from './batch-writer.ts';
import type { PackedBatch } from './packed-batch.ts';

export type ToWriter =
  | { readonly type: 'commit'; readonly batch: PackedBatch; readonly nowSeconds: number }
  | { readonly type: 'erase'; readonly address: string }
  | { readonly type: 'close' };

/** Answers come in the order of the questions, one each; `failed` answers everything from there on. */
export type FromWriter =
  | { readonly type: 'opened'; readonly head: Head }
  | { readonly type: 'committed'; readonly outcomes: readonly BatchOutcome[] }
  | { readonly type: 'erased'; readonly erased: boolean }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly reason: string; readonly locked: boolean };
