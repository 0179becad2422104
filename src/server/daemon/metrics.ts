import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Denial } from '../../denial/index.ts';

/** Seconds. A durable decision takes about one millisecond. */
const BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export interface MetricSources {
  readonly sessions: () => number;
  readonly running: () => number;
  readonly governanceSize: () => number;
  readonly leaseAgeSeconds: () => number;
  readonly noticesWaiting: () => number;
}

/** What Prometheus reads. Labels come from closed sets alone. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #decisions: Counter<'verdict' | 'code' | 'stage'>;
  readonly #seconds: Histogram<'verdict'>;
  readonly #notices: Counter<'event' | 'result'>;

  constructor(sources: MetricSources) {
    const registers = [this.#registry];
    this.#decisions = new Counter({
      name: 'writ_decisions_total',
      help: 'Decisions, by verdict, reason code and the stage that denied',
      labelNames: ['verdict', 'code', 'stage'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'writ_decision_duration_seconds',
      help: 'From the request to its durable decision',
      labelNames: ['verdict'],
      buckets: BUCKETS,
      registers,
    });
    this.#notices = new Counter({
      name: 'writ_notices_total',
      help: 'Notices to receivers of webhooks: delivered, failed, dropped or stale',
      labelNames: ['event', 'result'],
      registers,
    });
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    gauge('writ_sessions', 'Connected runtimes of enforcement points', sources.sessions);
    gauge('writ_executions_running', 'Executions permitted and not ended', sources.running);
    gauge('writ_governance_size', 'Entries of the governance log that are in force', sources.governanceSize);
    gauge('writ_governance_age_seconds', 'Age of governance knowledge (the lease)', sources.leaseAgeSeconds);
    gauge('writ_notices_waiting', 'Notices that wait to be delivered', sources.noticesWaiting);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** @param denial undefined for a permit. */
  decided(denial: Denial | undefined, durationMs: number): void {
    const verdict = denial === undefined ? 'permit' : 'deny';
    this.#decisions.inc({ verdict, code: denial?.code ?? '', stage: denial?.reason.stage ?? '' });
    this.#seconds.observe({ verdict }, durationMs / 1000);
  }

  /** What became of a notice (`notifications`). */
  notified(event: string, result: string): void {
    this.#notices.inc({ event, result });
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
