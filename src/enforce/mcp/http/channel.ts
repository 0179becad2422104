import type { RequestId } from '../message.ts';
import type { Presenter } from '../ports.ts';

/** A governed way to an upstream, or to several as if they were one: messages as lines, each with its newline. */
export interface Channel {
  /**
   * One message of the client's that parses, on one line.
   *
   * @param presenter what it brought to be presented, where presenters are beside the agents.
   */
  receive(line: Buffer, presenter?: Presenter): void;
  /** Nothing will be answered any more. */
  readonly isGone: boolean;
  /** The upstream does not take what was sent to it: nothing more is to be sent for now. */
  readonly isClogged: boolean;
  /** Ends it; resolves when everything that ran has its outcome recorded. */
  close(): Promise<void>;
}

export interface ChannelEvents {
  /** @param about the client's request that the upstream sent it for, where the transport tells. */
  readonly toClient: (line: Buffer, about: RequestId | undefined) => void;
  /** After the last of `toClient`. */
  readonly onGone: () => void;
}

export type OpenChannel = (events: ChannelEvents) => Channel;
