import type { Fault } from '../answer.ts';
import type { RequestId } from '../message.ts';

/** The transport to one upstream: whole messages, without judging them. */
export interface UpstreamLink {
  send(line: Buffer): void;
  readonly isGone: boolean;
  /** Bytes that were sent and not taken yet. */
  readonly backlogBytes: number;
  /** Ends it at once, where it is a process of ours: it goes on with a call that was stopped. */
  kill?(): void;
  /** Ends it; resolves when the upstream is gone. */
  stop(): Promise<void>;
}

export interface LinkEvents {
  /** @param about the request it came as part of the answer to, where the transport tells. */
  readonly onLine: (line: Buffer, about: RequestId | undefined) => void;
  /** No answer to a request will come, where the transport can tell. */
  readonly onLost: (id: RequestId, fault: Fault) => void;
  /** The upstream is gone, or cannot be trusted any more. Once, and last. */
  readonly onGone: (fault: Fault) => void;
}

export type OpenLink = (events: LinkEvents) => UpstreamLink;
