import type { Digest } from '../../../codec/index.ts';
import { toolDefinitionDigest } from '../../../policy/index.ts';
import { FAULTS } from '../answer.ts';
import { isRequestId, type RequestId } from '../message.ts';
import type { CallGovernor, Diagnose, Presenter } from '../ports.ts';
import { Session } from '../session.ts';
import { DEFAULT_SESSION_LIMITS, type ListedTool, type SessionLimits } from '../session-ports.ts';
import { isServerName } from '../tool-id.ts';
import type { Channel, ChannelEvents, OpenChannel } from './channel.ts';
import { idKey, type OutgoingParts, partsOf, scalar } from './message-parts.ts';
import type { OpenLink, UpstreamLink } from './upstream-link.ts';

export interface GovernedUpstreamOptions {
  /** Configured name of the upstream, as it stands in tool identifiers. */
  readonly name: string;
  readonly openLink: OpenLink;
  readonly governor: CallGovernor;
  readonly presenter: Presenter;
  readonly pinnedDigest?: (tool: string) => Digest | undefined;
  readonly onDefinitions?: (tools: readonly ListedTool[]) => void;
  /** Where people approve: clients that can show a URL are sent there. */
  readonly consoleUrl?: string;
  readonly diagnose: Diagnose;
  readonly limits?: Partial<SessionLimits>;
}

/** Many sessions live in one process: each holds less than the only one of a process may. */
export const HTTP_SESSION_LIMITS: SessionLimits = {
  ...DEFAULT_SESSION_LIMITS,
  maxServerMessageBytes: 16 * 1024 * 1024,
  maxInFlight: 256,
  maxInFlightBytes: 16 * 1024 * 1024,
};

const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;

/** One upstream behind the gateway. Misuse throws TypeError. */
export function governedUpstream(options: GovernedUpstreamOptions): OpenChannel {
  if (!isServerName(options.name)) throw new TypeError('not a server name');
  return (events) => new GovernedUpstream(options, events);
}

class GovernedUpstream implements Channel {
  readonly #session: Session;
  readonly #link: UpstreamLink;
  readonly #diagnose: Diagnose;
  /** The request that what is being handled was sent for. */
  #about: RequestId | undefined;
  /** Of requests that brought their own presentation and are not answered yet. */
  readonly #presenters = new Map<string, Presenter>();
  #isGone = false;

  constructor(options: GovernedUpstreamOptions, events: ChannelEvents) {
    const { name, governor, presenter, diagnose } = options;
    this.#diagnose = diagnose;
    this.#session = new Session({
      server: name,
      governor,
      presenter,
      digestOf: toolDefinitionDigest,
      pinnedDigest: options.pinnedDigest ?? (() => undefined),
      onDefinitions: options.onDefinitions ?? (() => {}),
      consoleUrl: options.consoleUrl,
      killUpstream: () => this.#link.kill?.(),
      presenterOf: (request) => this.#presenters.get(idKey(request)),
      toClient: (line) => {
        if (this.#presenters.size > 0) this.#forget(partsOf(line));
        events.toClient(line, this.#about);
      },
      toUpstream: (line) => this.#link.send(line),
      diagnose,
      limits: { ...HTTP_SESSION_LIMITS, ...options.limits },
    });
    this.#link = options.openLink({
      onLine: (line, about) => this.#fromUpstream(line, about),
      onLost: (id, fault) => this.#guarded(() => this.#session.requestLost(id, fault)),
      onGone: (fault) => {
        this.#isGone = true;
        this.#session.upstreamFailed(fault);
        void this.#session.idle().then(events.onGone);
      },
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get isClogged(): boolean {
    return this.#link.backlogBytes > MAX_BACKLOG_BYTES;
  }

  receive(line: Buffer, presenter?: Presenter): void {
    if (presenter !== undefined) {
      const parts = partsOf(line);
      if (parts?.kind === 'request') this.#presenters.set(idKey(parts.id), presenter);
    }
    this.#guarded(() => this.#session.fromClient(line));
    const cancelled = this.#presenters.size > 0 ? scalar(line, ['params', 'requestId']) : undefined;
    if (isRequestId(cancelled) && partsOf(line)?.kind === 'notification') {
      this.#presenters.delete(idKey(cancelled));
    }
  }

  #forget(parts: OutgoingParts | undefined): void {
    if (parts?.kind === 'response' && parts.id !== null) this.#presenters.delete(idKey(parts.id));
  }

  async close(): Promise<void> {
    await this.#link.stop();
    this.#session.upstreamFailed(FAULTS.closing);
    await this.#session.idle();
  }

  #fromUpstream(line: Buffer, about: RequestId | undefined): void {
    this.#about = about;
    try {
      this.#guarded(() => this.#session.fromUpstream(line));
    } finally {
      this.#about = undefined;
    }
  }

  /** INVARIANT: a line that makes us fail is not forwarded, and the session goes on. */
  #guarded(handle: () => void): void {
    try {
      handle();
    } catch {
      this.#diagnose('dropped a message that could not be handled');
    }
  }
}
