import type { Clock } from '../../governor/index.ts';
import type { NoticeType } from '../config/index.ts';
import type { Logger } from '../daemon/logger.ts';
import type { Notice } from './approval-notice.ts';
import { type DeliveryOptions, deliverWebhook, type WebhookTarget } from './webhook.ts';

/** What became of a notice. `dropped`: there was no room; `stale`: it was no news any more before it could be sent. */
export type NoticeResult = 'delivered' | 'failed' | 'dropped' | 'stale';

export interface WebhookQueueOptions {
  readonly target: WebhookTarget;
  readonly events: readonly NoticeType[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onResult: (type: NoticeType, result: NoticeResult) => void;
  readonly delivery?: Omit<DeliveryOptions, 'signal' | 'onRetry'>;
  readonly maxWaiting?: number;
}

const MAX_WAITING = 1000;
/** With waits of up to a minute between them: about five minutes. */
const MAX_ATTEMPTS = 12;

/**
 * Notices on their way to one receiver, in order, one at a time. INVARIANT: nobody waits for it, and it holds no more than so
 * many, however long the receiver is away: then the oldest make way.
 */
export class WebhookQueue {
  readonly #options: WebhookQueueOptions;
  readonly #host: string;
  readonly #waiting: Notice[] = [];
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: WebhookQueueOptions) {
    this.#options = options;
    // Paths of webhooks are secrets with many receivers: nothing but the host is ever logged.
    this.#host = new URL(options.target.url).host;
  }

  get size(): number {
    return this.#waiting.length;
  }

  offer(notice: Notice): void {
    const { events, maxWaiting = MAX_WAITING } = this.#options;
    if (this.#abort.signal.aborted || !events.includes(notice.type)) return;
    this.#waiting.push(notice);
    if (this.#waiting.length > maxWaiting) {
      const [oldest] = this.#waiting.splice(0, 1);
      if (oldest !== undefined) this.#conclude(oldest, 'dropped', { reason: 'too many are waiting' });
    }
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#waiting.length = 0;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { target, clock, delivery, logger } = this.#options;
    const { signal } = this.#abort;
    for (let notice = this.#waiting.shift(); notice !== undefined; notice = this.#waiting.shift()) {
      const { id, type, json, untilMs } = notice;
      if (clock.wallMs() >= untilMs) {
        this.#conclude(notice, 'stale', {});
        continue;
      }
      const nowSeconds = () => Math.floor(clock.wallMs() / 1000);
      const done = await deliverWebhook(
        target,
        json,
        { id, nowSeconds },
        {
          maxAttempts: MAX_ATTEMPTS,
          ...delivery,
          signal,
          onRetry: (reason, attempt) =>
            logger.warn({ notice: type, id, host: this.#host, reason, attempt }, 'webhook not delivered yet'),
        },
      );
      if (signal.aborted) return;
      const { kind, ...how } = done;
      this.#conclude(notice, kind, how);
    }
  }

  #conclude({ id, type }: Notice, result: NoticeResult, how: object): void {
    const { logger, onResult } = this.#options;
    onResult(type, result);
    const about = { notice: type, id, host: this.#host, ...how };
    if (result === 'delivered') logger.info(about, 'webhook delivered');
    else logger.error(about, `webhook ${result}`);
  }
}
