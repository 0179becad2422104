import { Worker } from 'node:worker_threads';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type PolicyBundle, parsePolicyBundle, preparePolicy } from '../../policy/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import type { Home } from '../home.ts';
import { openHome } from '../home.ts';
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

/** What the worker is handed. */
export interface SimulationTask extends DomainSimulationOptions {
  readonly folder: string;
  readonly bundle: Uint8Array;
}

/** Decides the recorded decisions of a domain's logs again, under another policy (`simulatePolicy`). */
export async function simulateDomain(task: SimulationTask): Promise<DomainSimulation | Denial> {
  const home = openHome(task.folder);
  if (isDenial(home)) return home;
  const bundle = parsePolicyBundle(task.bundle);
  if (isDenial(bundle)) return bundle;
  const policy = preparePolicy(bundle);
  const readers = new Map<string, SqliteLogReader>();
  try {
    for (const log of task.logs) readers.set(log, openSqliteLogReader(home.executionLogFolder(log)));
    const opened = openReplaySources(home, readers);
    if (isDenial(opened)) return opened;
    try {
      const logs: DomainSimulation['logs'][number][] = [];
      const { sinceMs, untilMs } = task;
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

/** The same in a thread of its own: decisions that are asked for meanwhile do not wait. Ends with the signal. */
export function simulateInThread(
  home: Home,
  bundle: PolicyBundle,
  options: DomainSimulationOptions,
  signal: AbortSignal,
): Promise<DomainSimulation | Denial> {
  const task: SimulationTask = { ...options, folder: home.folder, bundle: bundle.bytes };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./simulation-worker.${extension}`, import.meta.url), {
    workerData: task,
  });
  return new Promise((resolve) => {
    const end = (answer: DomainSimulation | Denial) => {
      signal.removeEventListener('abort', abort);
      resolve(answer);
      void worker.terminate();
    };
    const abort = () => end(deny('log.unavailable', 'the simulation took too long'));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    worker.once('message', (message: DomainSimulation | { readonly refused: string }) =>
      end('refused' in message ? deny('log.unavailable', message.refused) : message),
    );
    worker.once('error', (error) => end(deny('internal.unexpected', error.message)));
    worker.once('exit', () => end(deny('internal.unexpected', 'the simulation ended early')));
  });
}
