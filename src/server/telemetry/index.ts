import type { Environment, TelemetryConfig } from '../config/index.ts';
import type { ExportedTraces, TracesSource } from './export-traces.ts';
import { tracesConfig } from './traces-config.ts';

export type { ExportedTraces } from './export-traces.ts';

/** Starts tracing where it was asked for; the libraries for it are loaded only then. */
export async function openTraces(
  environment: Environment,
  config: TelemetryConfig,
  source: TracesSource,
): Promise<ExportedTraces | undefined> {
  const traces = tracesConfig(environment, config);
  if (traces === undefined) return undefined;
  const { exportTraces } = await import('./export-traces.ts');
  return exportTraces(traces, source);
}
