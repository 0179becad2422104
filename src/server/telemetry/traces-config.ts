import type { Environment, TelemetryConfig } from '../config/index.ts';

/** Where spans go and which, once there is somewhere. */
export interface TracesConfig {
  /** Undefined: where the exporter's own environment variables say. */
  readonly url: string | undefined;
  readonly sampler: Sampler;
  readonly batch: {
    readonly maxExportBatchSize?: number;
    readonly maxQueueSize?: number;
    readonly scheduledDelayMillis?: number;
    readonly exportTimeoutMillis?: number;
  };
}

export interface Sampler {
  /** Whether a caller that is part of a trace says whether its decisions are. */
  readonly parentBased: boolean;
  /** Of all others, how many are. */
  readonly ratio: number;
}

const OTLP = 'otlp';
const SAMPLER = /^(parentbased_)?(always_on|always_off|traceidratio)$/;

/**
 * What the standard's environment variables and the configuration say of traces; undefined where nothing is traced, which is
 * the default. As the standard wants, a variable that makes no sense counts as one that is not set.
 */
export function tracesConfig(
  environment: Environment,
  { tracesEndpoint, samplePercent }: TelemetryConfig,
): TracesConfig | undefined {
  const exporter = environment.OTEL_TRACES_EXPORTER ?? '';
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || exporter === 'none') return undefined;
  const isNamed =
    isSet(environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) || isSet(environment.OTEL_EXPORTER_OTLP_ENDPOINT);
  if (!isNamed && exporter !== OTLP && tracesEndpoint === undefined) return undefined;
  return {
    url: isNamed ? undefined : tracesEndpoint,
    sampler: samplerOf(environment, samplePercent / 100),
    batch: {
      ...whole('maxExportBatchSize', environment.OTEL_BSP_MAX_EXPORT_BATCH_SIZE),
      ...whole('maxQueueSize', environment.OTEL_BSP_MAX_QUEUE_SIZE),
      ...whole('scheduledDelayMillis', environment.OTEL_BSP_SCHEDULE_DELAY),
      ...whole('exportTimeoutMillis', environment.OTEL_BSP_EXPORT_TIMEOUT),
    },
  };
}

function samplerOf({ OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG }: Environment, ratio: number): Sampler {
  const [, parentBased, kind] = SAMPLER.exec(OTEL_TRACES_SAMPLER ?? '') ?? [];
  if (kind === undefined) return { parentBased: true, ratio };
  const asked = Number(OTEL_TRACES_SAMPLER_ARG || 'NaN');
  const ofTraces = asked >= 0 && asked <= 1 ? asked : 1;
  return {
    parentBased: parentBased !== undefined,
    ratio: kind === 'traceidratio' ? ofTraces : kind === 'always_on' ? 1 : 0,
  };
}

function whole(name: string, text: string | undefined): Record<string, number> {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? { [name]: Number(text) } : {};
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text.trim() !== '';
}
