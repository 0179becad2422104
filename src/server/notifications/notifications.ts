import { isDenial } from '../../denial/index.ts';
import { REQUEST_SECONDS } from '../../governance/index.ts';
import { ApprovalRequests, ApprovalWatch } from '../../governor/index.ts';
import { approvalsBaseUrl, type Environment, readSecret, type WebhookConfig } from '../config/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { enrolledLogs } from '../known-logs.ts';
import { noticeOf } from './approval-notice.ts';
import { findTargetProblem, type WebhookTarget } from './webhook.ts';
import { WebhookQueue } from './webhook-queue.ts';

const STEP_MS = 500;
const NEW_LOGS_STEPS = 4;

/** Tells receivers of approvals. Reads what is on record, beside everything that decides. */
export class Notifications {
  readonly #ports: DaemonPorts;
  readonly #queues: readonly WebhookQueue[];
  #watch: ApprovalWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws Error saying what of the configuration keeps it from that. */
  constructor(ports: DaemonPorts, environment: Environment) {
    const { config, clock, logger, metrics } = ports;
    this.#ports = ports;
    this.#queues = config.notifications.webhooks.map((webhook, index) => {
      const target = targetOf(webhook, `notifications.webhooks[${index}]`, environment);
      const onResult = metrics.notified.bind(metrics);
      return new WebhookQueue({ target, events: webhook.events, clock, logger, onResult });
    });
  }

  /** Notices that wait to be delivered. */
  get waiting(): number {
    return this.#queues.reduce((sum, { size }) => sum + size, 0);
  }

  /** Nothing is followed where nobody is to be told. */
  async start(): Promise<void> {
    if (this.#queues.length === 0) return;
    const { home, clock, follower, logger, config } = this.#ports;
    const baseUrl = approvalsBaseUrl(config);
    // Before what waits is listed: what is asked for meanwhile is then in one of the two.
    const watch = new ApprovalWatch({
      ...{ home, clock, follower },
      logs: () => enrolledLogs(home, follower),
      tell: (change, request) => {
        const notice = noticeOf(change, request, baseUrl);
        for (const queue of this.#queues) queue.offer(notice);
      },
      onOverflow: () => logger.error('so many requests wait for approval that one is not told of'),
      onUnreadable: (log) => logger.error({ log }, 'approvals of this log are not followed'),
    });
    this.#watch = watch;
    const open = await this.#findOpen();
    if (this.#closed) return;
    for (const request of open) watch.begin(request);
    let steps = 0;
    this.#timer = setInterval(() => {
      steps += 1;
      try {
        if (steps % NEW_LOGS_STEPS === 0) watch.findLogs();
        watch.step();
      } catch (error) {
        // A log that cannot be read now is read again at the next step, from where it was.
        logger.error({ error: error instanceof Error ? error.name : 'unknown' }, 'approvals not followed');
      }
    }, STEP_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#watch?.close();
    await Promise.all(this.#queues.map((queue) => queue.close()));
  }

  /** Who stopped while something waited did not tell all of it: receivers know the repetition by its id. */
  async #findOpen() {
    const { home, follower, clock, logger } = this.#ports;
    const { state } = follower.refresh();
    const requests = ApprovalRequests.open(home, state);
    if (isDenial(requests)) return [];
    try {
      const nowMs = clock.wallMs();
      const listed = await requests.list(state, { nowMs, sinceMs: nowMs - REQUEST_SECONDS * 1000 });
      if (isDenial(listed)) {
        logger.error({ code: listed.code }, 'what waits for approval cannot be listed');
        return [];
      }
      return listed.filter(({ status }) => status === 'open' || status === 'approved');
    } finally {
      requests.close();
    }
  }
}

function targetOf({ url, secret }: WebhookConfig, key: string, environment: Environment): WebhookTarget {
  const read = readSecret(secret, environment);
  if ('problem' in read) throw new Error(`${key}.secret: ${read.problem}`);
  const target = { url, secret: read.secret.trim() };
  const problem = findTargetProblem(target);
  if (problem !== undefined) throw new Error(`${key}: ${problem.detail}`);
  return target;
}
