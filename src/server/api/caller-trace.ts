import type { Context } from 'hono';
import { type CallerTrace, parseCallerTrace } from '../../governor/index.ts';

/** The trace a request is part of, as its headers say (W3C Trace Context); undefined where they say nothing that counts. */
export function callerTraceOf(context: Context): CallerTrace | undefined {
  const traceparent = context.req.header('traceparent');
  return traceparent === undefined
    ? undefined
    : parseCallerTrace(traceparent, context.req.header('tracestate'));
}
