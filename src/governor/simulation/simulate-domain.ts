import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { parsePolicyBundle, preparePolicy } from '../../policy/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import type { Home } from '../home.ts';
import { openReplaySources } from '../replay/open-replay-sources.ts';
import { simulatePolicy } from './simulate-policy.ts';
import type { SimulationReport } from './simulation-report.ts';

export interface DomainSimulation {
  readonly logs: readonly (SimulationReport & { readonly log: string })[];
}

export interface DomainSimulationOptions {
  /** Names of the logs whose decisions are decided again. */
  readonly logs: readonly string[];
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** Decides the recorded decisions of a domain's logs again, under another policy (`simulatePolicy`). */
export async function simulateDomain(
  home: Home,
  bundleBytes: Uint8Array,
  { logs: names, sinceMs, untilMs }: DomainSimulationOptions,
): Promise<DomainSimulation | Denial> {
  const bundle = parsePolicyBundle(bundleBytes);
  if (isDenial(bundle)) return bundle;
  const policy = preparePolicy(bundle);
  const readers = new Map<string, SqliteLogReader>();
  try {
    for (const log of names) readers.set(log, openSqliteLogReader(home.executionLogFolder(log)));
    const opened = openReplaySources(home, readers);
    if (isDenial(opened)) return opened;
    try {
      const logs: DomainSimulation['logs'][number][] = [];
      for (const [log, sources] of opened.sources) {
        const report = await simulatePolicy(sources, {
          policy,
          ...(sinceMs === undefined ? {} : { sinceMs }),
          ...(untilMs === undefined ? {} : { untilMs }),
        });
        logs.push({ log, ...report });
      }
      return { logs };
    } finally {
      opened.close();
    }
  } catch (error) {
    return deny('log.unavailable', error instanceof Error ? error.message : 'a log cannot be read');
  } finally {
    for (const reader of readers.values()) reader.close();
  }
}
