import { existsSync } from 'node:fs';
import type { Home } from '../governor/index.ts';
import type { TelemetryConfig } from '../server/config/index.ts';
import type { ExportedTraces } from '../server/telemetry/index.ts';
import type { Session } from './session.ts';
import { version } from './version.ts';

/**
 * Traces of the decisions that this process makes, where the environment or the domain's configuration asks for them.
 * Loads nothing where neither could.
 */
export async function tracesOf(
  session: Session,
  home: Home,
  service: string,
): Promise<ExportedTraces | undefined> {
  const { environment } = session.surroundings;
  const isAsked = Object.keys(environment).some((name) => /^(?:OTEL_|WRIT_TELEMETRY__)/.test(name));
  if (!isAsked && !existsSync(home.configFile)) return undefined;
  const { mustReadConfig } = await import('./config-check.ts');
  return openTracesFor(session, home, service, mustReadConfig(session, home.configFile).config.telemetry);
}

export async function openTracesFor(
  { surroundings: { environment } }: Session,
  home: Home,
  service: string,
  config: TelemetryConfig,
): Promise<ExportedTraces | undefined> {
  const { openTraces } = await import('../server/telemetry/index.ts');
  return openTraces(environment, config, { domain: home.domain, version: version(), service });
}
