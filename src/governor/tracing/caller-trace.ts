import { createTraceState, type SpanContext, TraceFlags } from '@opentelemetry/api';

/** What a caller says of the trace it is part of (W3C Trace Context). It has no say in any decision. */
export interface CallerTrace {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** Version 00 is exactly that long; later ones may say more after another dash. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const MAX_TRACEPARENT_CHARACTERS = 256;
const MAX_TRACESTATE_CHARACTERS = 512;
/** What a header may hold: what is passed on to the daemon goes as one. */
const VISIBLE = /^[\x20-\x7e]*$/;

/**
 * @returns undefined for what is no trace context: then the decision is the first span of a trace of its own. A call is
 *   never refused for it. A `tracestate` that cannot be kept is left out, as the standard wants.
 */
export function parseCallerTrace(traceparent: unknown, tracestate?: unknown): CallerTrace | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT_CHARACTERS) return undefined;
  const [, version = '', traceId = '', spanId = '', , more] = TRACEPARENT.exec(traceparent) ?? [];
  const isWhole = version !== '' && version !== 'ff' && (version !== '00' || more === undefined);
  if (!isWhole || !VISIBLE.test(traceparent) || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const isKept =
    typeof tracestate === 'string' &&
    tracestate !== '' &&
    tracestate.length <= MAX_TRACESTATE_CHARACTERS &&
    VISIBLE.test(tracestate);
  return isKept ? { traceparent, tracestate } : { traceparent };
}

/** @param trace as `parseCallerTrace` gave it. */
export function spanContextOf({ traceparent, tracestate }: CallerTrace): SpanContext {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
}
