import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { deny } from '../../denial/index.ts';
import type { Clock, GovernanceFollower } from '../../governor/index.ts';
import type { TrustBundles } from '../../workload/index.ts';
import { denialProblem, problem } from '../api/problem.ts';
import type { LimitsConfig } from '../config/index.ts';
import type { Logger } from '../daemon/logger.ts';
import type { AdministrativePolicy } from './administrative-policy.ts';
import { ANONYMOUS, type Caller } from './caller.ts';
import type { Gate, GatedOperation } from './gate.ts';
import { type Certified, identify } from './identify.ts';
import { RateLimit } from './rate-limit.ts';

export interface RemoteGateOptions {
  readonly domain: string;
  readonly clock: Clock;
  readonly follower: GovernanceFollower;
  readonly maxStalenessSeconds: number;
  readonly limits: LimitsConfig;
  readonly certified: Certified;
  readonly trustBundles: () => TrustBundles;
  readonly logger: Logger;
}

/** TCP: who asks is authenticated, within its rate, and permitted by the administrative policy; all else is denied. */
export class RemoteGate implements Gate {
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  readonly #options: RemoteGateOptions;
  readonly #callers: RateLimit;
  readonly #strangers: RateLimit;
  #policy: AdministrativePolicy | undefined;

  constructor(options: RemoteGateOptions) {
    const { limits, clock } = options;
    this.#options = options;
    this.maxBodyBytes = limits.maxBodyBytes;
    this.requestTimeoutMs = limits.requestTimeoutSeconds * 1000;
    const now = () => clock.monotonicMs();
    this.#callers = new RateLimit(limits.requestsPerSecond, limits.burst, now);
    this.#strangers = new RateLimit(limits.anonymousPerSecond, limits.anonymousPerSecond, now);
  }

  /** The policy names every operation, so it comes after them; until then everything is denied. */
  useAdministrativePolicy(policy: AdministrativePolicy): void {
    this.#policy = policy;
  }

  exposes({ exposure }: GatedOperation): boolean {
    return exposure !== undefined;
  }

  admit(context: Context, { name, exposure }: GatedOperation): Caller | Response {
    const { domain, clock, follower, certified, logger, trustBundles } = this.#options;
    const request: IncomingMessage = context.env.incoming;
    const address = request.socket.remoteAddress ?? '';
    // RFC 6750 §2.3: a token in a URL ends up in logs.
    if (context.req.query('access_token') !== undefined) {
      return this.#unknown(address, 'a token is never given in the URL');
    }
    if (exposure === 'public') {
      const waitSeconds = this.#strangers.take(address);
      return waitSeconds === 0 ? ANONYMOUS : tooMany(waitSeconds);
    }
    const { state, checkedAtMs } = follower.refresh();
    if (clock.wallMs() - checkedAtMs > this.#options.maxStalenessSeconds * 1000) {
      // A token may have been dismissed since.
      return denialProblem(deny('revocation.stale', 'governance knowledge is too old'));
    }
    const nowSeconds = Math.floor(clock.wallMs() / 1000);
    const caller = identify(request, { domain, state, nowSeconds, certified, trustBundles: trustBundles() });
    if (caller === undefined) return this.#unknown(address, 'it does not say who asks');
    if (typeof caller === 'string') return this.#unknown(address, caller);
    const waitSeconds = this.#callers.take(caller.id);
    if (waitSeconds > 0) return tooMany(waitSeconds);
    const about = exposure === 'enforce' ? pointOf(context) : '';
    if (this.#policy?.permits(caller, name, about) === true) return caller;
    logger.warn({ caller: caller.id, role: caller.role, operation: name }, 'not permitted');
    return problem(403, 'The administrative policy does not permit this.', {
      operation: name,
      role: caller.role,
    });
  }

  stillAdmits(context: Context, { name, exposure }: GatedOperation, caller: Caller): boolean {
    if (exposure === 'public') return true;
    const { domain, clock, follower, certified, trustBundles } = this.#options;
    const { state } = follower.refresh();
    const nowSeconds = Math.floor(clock.wallMs() / 1000);
    const now = identify(context.env.incoming, {
      domain,
      state,
      nowSeconds,
      certified,
      trustBundles: trustBundles(),
    });
    if (now === undefined || typeof now === 'string') return false;
    const about = exposure === 'enforce' ? pointOf(context) : '';
    return (
      now.id === caller.id && now.role === caller.role && this.#policy?.permits(now, name, about) === true
    );
  }

  #unknown(address: string, reason: string): Response {
    const waitSeconds = this.#strangers.take(address);
    if (waitSeconds > 0) return tooMany(waitSeconds);
    this.#options.logger.warn({ address, reason }, 'not authenticated');
    return problem(
      401,
      'Who asks is not known.',
      { detail: reason },
      { 'www-authenticate': 'Bearer realm="writ"' },
    );
  }
}

/** The enforcement point that a request is to; AuthZEN's own paths name none and are to `authzen`. */
function pointOf(context: Context): string {
  const named = context.req.param('name') ?? context.req.param('point');
  return named ?? (context.req.path.startsWith('/access/') ? 'authzen' : '');
}

function tooMany(waitSeconds: number): Response {
  return problem(429, 'Too many requests.', {}, { 'retry-after': String(waitSeconds) });
}
