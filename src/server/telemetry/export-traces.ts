import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { DecisionTracer } from '../../governor/index.ts';
import type { Sampler, TracesConfig } from './traces-config.ts';

export interface TracesSource {
  readonly domain: string;
  readonly version: string;
  /** What these spans are of: `writ`, or `writ mcp`. */
  readonly service: string;
}

export interface ExportedTraces {
  readonly tracer: DecisionTracer;
  /** Sends what waits, for a bounded time. Does not reject: what cannot be sent is lost. */
  close(): Promise<void>;
}

/** What is kept of a span is bounded, whatever it is given. */
const SPAN_LIMITS = {
  attributeValueLengthLimit: 512,
  attributeCountLimit: 32,
  eventCountLimit: 16,
  linkCountLimit: 8,
};
const CLOSE_MS = 1000;

/**
 * Spans as OTLP/JSON over HTTP. No provider of OpenTelemetry's is registered: nothing else of this process is traced, and
 * no context is carried through it. A receiver that does not answer costs spans, and never a decision.
 */
export function exportTraces({ url, sampler, batch }: TracesConfig, source: TracesSource): ExportedTraces {
  const exporter = new OTLPTraceExporter(url === undefined ? {} : { url });
  const provider = new TracerProvider({
    sampler: samplerOf(sampler),
    spanLimits: SPAN_LIMITS,
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count before what is said here.
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.name': source.service,
          'service.namespace': source.domain,
          'service.version': source.version,
        }),
      )
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter, ...batch })],
  });
  return {
    tracer: new DecisionTracer(provider.getTracer('writ', source.version)),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

function samplerOf({ parentBased, ratio }: Sampler) {
  const root =
    ratio === 1
      ? new AlwaysOnSampler()
      : ratio === 0
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return parentBased ? new ParentBasedSampler({ root }) : root;
}
