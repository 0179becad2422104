import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';
import { findWebhookUrlProblem } from '../config/index.ts';

/** What is sent: the Standard Webhooks specification, version 1, symmetric signatures. */
export interface SignedWebhook {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface WebhookTarget {
  /** https, or http on this machine. */
  readonly url: string;
  /** `whsec_` and base64 of 24 to 64 bytes. */
  readonly secret: string;
}

export type Delivery =
  | { readonly kind: 'delivered'; readonly status: number; readonly attempts: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly attempts: number };

export interface DeliveryOptions {
  readonly timeoutMs?: number;
  readonly maxAttempts?: number;
  /** Waited before the second try; each further one waits twice as long. */
  readonly backoffMs?: number;
  /** But never longer than this. */
  readonly maxBackoffMs?: number;
  /** A try that did not succeed, unless it was the last. */
  readonly onRetry?: (reason: string, attempt: number) => void;
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

const TIMEOUT_MS = 5000;
const MAX_ATTEMPTS = 4;
const BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 60_000;
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** What is wrong with a target; undefined where it can be used. For whoever reads the configuration. */
export function findTargetProblem({ url, secret }: WebhookTarget): Denial | undefined {
  const problem = findWebhookUrlProblem(url);
  if (problem !== undefined) return deny('request.malformed', `the webhook URL ${problem}`);
  return keyOf(secret) === undefined
    ? deny('request.malformed', 'a webhook secret is whsec_ and base64 of 24 to 64 bytes')
    : undefined;
}

/**
 * Signs a body. Its id is what a receiver drops repetitions by: give the same one on every try.
 *
 * @throws TypeError for a secret that is none (`findTargetProblem`).
 */
export function signWebhook(
  body: string,
  { id, atSeconds, secret }: { readonly id: string; readonly atSeconds: number; readonly secret: string },
): SignedWebhook {
  const key = keyOf(secret);
  if (key === undefined || !/^[\w-]{1,128}$/.test(id)) throw new TypeError('not a webhook secret, or no id');
  const timestamp = String(Math.floor(atSeconds));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'writ',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  };
}

/**
 * Delivers a webhook: each try is bounded in time, a redirect is a failure (it would take the notice somewhere nobody
 * configured), and nothing of the answer is read but its status. What the receiver refuses (4xx but 408, 425 and 429) is not
 * tried again. Never rejects; a notice is a courtesy, and no decision waits for it.
 */
export async function deliverWebhook(
  { url, secret }: WebhookTarget,
  notice: JsonObject,
  { id, nowSeconds }: { readonly id: string; readonly nowSeconds: () => number },
  options: DeliveryOptions = {},
): Promise<Delivery> {
  const { timeoutMs = TIMEOUT_MS, maxAttempts = MAX_ATTEMPTS, signal, onRetry } = options;
  const { backoffMs = BACKOFF_MS, maxBackoffMs = MAX_BACKOFF_MS } = options;
  const send = options.fetch ?? fetch;
  const problem = findTargetProblem({ url, secret });
  if (problem !== undefined) return { kind: 'failed', reason: problem.detail, attempts: 0 };
  let reason = '';
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    // Signed anew: receivers refuse a timestamp that is minutes old.
    const { body, headers } = signWebhook(JSON.stringify(notice), { id, atSeconds: nowSeconds(), secret });
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await send(url, {
        method: 'POST',
        redirect: 'manual',
        ...{ body, headers },
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      await response.body?.cancel();
      const { status } = response;
      if (status >= 200 && status < 300) return { kind: 'delivered', status, attempts: attempt };
      reason = `the receiver answered ${status}`;
      if (!isWorthRepeating(status)) return { kind: 'failed', reason, attempts: attempt };
    } catch {
      reason = timeout.aborted ? `no answer in ${timeoutMs} ms` : 'the receiver cannot be reached';
    }
    if (signal?.aborted === true) return { kind: 'failed', reason: 'given up', attempts: attempt };
    if (attempt < maxAttempts) {
      onRetry?.(reason, attempt);
      const waitMs = Math.min(maxBackoffMs, backoffMs * 2 ** (attempt - 1));
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }
  return { kind: 'failed', reason, attempts: maxAttempts };
}

function isWorthRepeating(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

function keyOf(secret: string): Buffer | undefined {
  const [, encoded] = SECRET.exec(secret) ?? [];
  const key = encoded === undefined ? undefined : Buffer.from(encoded, 'base64');
  return key !== undefined && key.byteLength >= 24 && key.byteLength <= 64 ? key : undefined;
}
