import type { JsonObject } from '../../codec/index.ts';
import type { GovernedTool } from './governed-tool.ts';
import { Handover } from './handover.ts';
import type { CallContext, CallOptions, Writ } from './writ.ts';

/**
 * A call whose code yields items while it runs, as `Writ.call` otherwise: nothing runs before the first item is asked
 * for and the permit is durable. The execution ends when the items do, and its result is the last of them. A reader who
 * stops reading stops the code.
 */
export async function* callAsStream<T>(
  writ: Writ,
  tool: GovernedTool,
  args: unknown,
  code: (args: JsonObject, context: CallContext) => AsyncIterable<T>,
  options: CallOptions = {},
): AsyncGenerator<T, void, undefined> {
  const items = new Handover<T>();
  const reader = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, reader.signal]) : reader.signal;
  const running = writ.call(
    tool,
    args,
    (copy, context) => drain(code(copy, context), items, context.signal),
    {
      ...options,
      signal,
    },
  );
  const end = (): void => items.end();
  // Also keeps a rejection from being unhandled where nobody reads on.
  running.then(end, end);
  try {
    for (let next = await items.take(); next !== undefined; next = await items.take()) yield next.item;
    await running;
  } finally {
    reader.abort(new DOMException('Nobody reads on.', 'AbortError'));
  }
}

/** Leaving the loop, for whatever reason, ends the source. */
async function drain<T>(
  source: AsyncIterable<T>,
  items: Handover<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  let last: T | undefined;
  for await (const item of source) {
    last = item;
    await items.give(item, signal);
  }
  return last;
}
