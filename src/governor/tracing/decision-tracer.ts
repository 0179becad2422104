import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { type Denial, STAGES } from '../../denial/index.ts';
import { type CallerTrace, spanContextOf } from './caller-trace.ts';

/** How an execution ended, as its outcome receipt says. */
export interface TracedEnd {
  readonly status: string;
  readonly code?: string | undefined;
}

/** An effect's span. */
export interface EffectTrace {
  end(end: TracedEnd): void;
}

/** A decision's span. Exactly one of its members is to be called, once. */
export interface DecisionTrace {
  /** @param index of the receipt; undefined where not even the denial could be recorded. */
  denied(denial: Denial, index: number | undefined): void;
  /** The permit was recorded, and did not stand any more when it was to be used. */
  withdrawn(denial: Denial, index: number): void;
  /** The effect may start: its span begins. */
  permitted(index: number): EffectTrace;
}

/** Who names the tool may be anybody: of what is no identifier nothing is repeated. */
const IDENTIFIER = /^[\x21-\x7e]+$/;
const MAX_TOOL_CHARACTERS = 256;

/**
 * Decisions and effects as OpenTelemetry spans. Names and attributes are those of `writ lineage export --format otel`, and
 * `writ.execution.id` is the id of the receipt.
 *
 * INVARIANT: spans say what stands in a receipt in clear, and never arguments, results, artifacts or the detail of a
 * denial. Nothing that tracing does or fails to do changes a decision.
 */
export class DecisionTracer {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** @param caller the decision is part of its trace; else of one of its own. */
  start(
    executionId: string,
    { tool, origin }: { readonly tool: string; readonly origin: string },
    caller: CallerTrace | undefined,
  ): DecisionTrace | undefined {
    return unlessFailed(() => {
      const above =
        caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContextOf(caller));
      const attributes = {
        'writ.execution.id': executionId,
        'writ.log': origin,
        'gen_ai.operation.name': 'execute_tool',
        ...(IDENTIFIER.test(tool) ? { 'gen_ai.tool.name': tool.slice(0, MAX_TOOL_CHARACTERS) } : {}),
      };
      const span = this.#tracer.startSpan('writ.decide', { kind: SpanKind.INTERNAL, attributes }, above);
      return new StartedDecision(this.#tracer, span, trace.setSpan(above, span), attributes);
    });
  }
}

class StartedDecision implements DecisionTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #within: Context;
  readonly #attributes: Attributes;

  constructor(tracer: Tracer, span: Span, within: Context, attributes: Attributes) {
    this.#tracer = tracer;
    this.#span = span;
    this.#within = within;
    this.#attributes = attributes;
  }

  denied(denial: Denial, index: number | undefined): void {
    unlessFailed(() => this.#deny(denial, index));
  }

  withdrawn(denial: Denial, index: number): void {
    unlessFailed(() => {
      this.#span.setAttribute('writ.outcome', 'terminated');
      this.#deny(denial, index);
    });
  }

  permitted(index: number): EffectTrace {
    const effect = unlessFailed(() => {
      this.#span.setAttributes({
        'writ.verdict': 'permit',
        'writ.log.index': index,
        'writ.stages': STAGES.map((stage) => `${stage}=pass`),
      });
      this.#span.setStatus({ code: SpanStatusCode.OK });
      this.#span.end();
      return this.#tracer.startSpan(
        'writ.execute',
        { kind: SpanKind.INTERNAL, attributes: this.#attributes },
        this.#within,
      );
    });
    return { end: (end) => unlessFailed(() => endEffect(effect, end)) };
  }

  #deny({ code, reason }: Denial, index: number | undefined): void {
    const { stage } = reason;
    const passed = stage === 'any' ? [] : STAGES.slice(0, STAGES.indexOf(stage));
    this.#span.setAttributes({
      'writ.verdict': 'deny',
      'writ.code': code,
      'writ.stage': stage,
      'writ.stages': [...passed.map((one) => `${one}=pass`), `${stage}=fail`],
      ...(index === undefined ? {} : { 'writ.log.index': index }),
    });
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    this.#span.end();
  }
}

function endEffect(span: Span | undefined, { status, code }: TracedEnd): void {
  if (span === undefined) return;
  span.setAttributes({ 'writ.outcome': status, ...(code === undefined ? {} : { 'writ.code': code }) });
  if (status === 'succeeded') span.setStatus({ code: SpanStatusCode.OK });
  else if (status !== 'unknown') span.setStatus({ code: SpanStatusCode.ERROR, message: code ?? status });
  span.end();
}

function unlessFailed<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
