import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Denial } from '../../denial/index.ts';
import type { LogProgress } from '../../tlog/index.ts';

/** Seconds. A durable decision takes about one millisecond. */
const BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export interface MetricSources {
  readonly sessions: () => number;
  readonly running: () => number;
  readonly governanceSize: () => number;
  readonly leaseAgeSeconds: () => number;
  /** Of the logs that are open, by name: there are boundedly many. */
  readonly logs: () => Iterable<readonly [name: string, progress: LogProgress]>;
  /** Requests for approval that people are waited for; undefined while that is not known. */
  readonly approvalsWaiting: () => number | undefined;
  /** Told of each decision that may make or end such a request. */
  readonly onApprovalAsked: () => void;
  readonly noticesWaiting: () => number;
}

/** What Prometheus reads. Labels come from closed sets alone. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #decisions: Counter<'verdict' | 'code' | 'stage'>;
  readonly #seconds: Histogram<'verdict'>;
  readonly #onApprovalAsked: () => void;
  readonly #notices: Counter<'event' | 'result'>;

  constructor(sources: MetricSources) {
    this.#onApprovalAsked = sources.onApprovalAsked;
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
    gauge(
      'writ_approvals_waiting',
      'Requests for approval that wait for people, as of a few seconds ago; NaN while not known',
      () => sources.approvalsWaiting() ?? Number.NaN,
    );
    new Gauge({
      name: 'writ_log_entries',
      help: 'Entries of a log by how far they have come: durable, included, witnessed',
      labelNames: ['log', 'level'],
      registers,
      collect() {
        for (const [log, { durable, included, witnessed }] of sources.logs()) {
          this.set({ log, level: 'durable' }, durable);
          this.set({ log, level: 'included' }, included);
          if (witnessed !== undefined) this.set({ log, level: 'witnessed' }, witnessed);
        }
      },
    });
    new Gauge({
      name: 'writ_log_lag_seconds',
      help: 'How long the oldest durable entry of a log has waited to be included, or witnessed',
      labelNames: ['log', 'level'],
      registers,
      collect() {
        for (const [log, { witnessed, waitingMs }] of sources.logs()) {
          this.set({ log, level: 'included' }, waitingMs / 1000);
          if (witnessed !== undefined) this.set({ log, level: 'witnessed' }, waitingMs / 1000);
        }
      },
    });
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
    if (denial?.reason.stage === 'approval') this.#onApprovalAsked();
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
