import type { Digest, JsonObject } from '../../codec/index.ts';
import type { DenialStyle } from './answer.ts';
import type { RequestId } from './message.ts';
import type { CallGovernor, Diagnose, Presenter } from './ports.ts';

/** What a session decides with and writes to. */
export interface SessionPorts {
  /** Configured name of the upstream, as it stands in tool identifiers. */
  readonly server: string;
  readonly governor: CallGovernor;
  readonly presenter: Presenter;
  /** The presenter of one request of the client's, where each brings its own; `presenter` else. */
  readonly presenterOf?: (request: RequestId) => Presenter | undefined;
  readonly digestOf: (definition: JsonObject) => Digest;
  /** Digest a tool's definition is pinned to, where one is: what lists withhold by. */
  readonly pinnedDigest: (tool: string) => Digest | undefined;
  /** Told of the upstream's tool definitions, by tool identifier, whenever they have been listed. */
  readonly onDefinitions: (tools: readonly ListedTool[]) => void;
  readonly toClient: (bytes: Buffer) => void;
  readonly toUpstream: (bytes: Buffer) => void;
  /** Ends the upstream at once: it goes on with a call that was stopped. Absent where it is not ours to end. */
  readonly killUpstream?: () => void;
  readonly diagnose: Diagnose;
  /** Where people approve: clients that can show a URL are sent there. */
  readonly consoleUrl?: string | undefined;
  readonly limits: SessionLimits;
}

export interface ListedTool {
  readonly id: string;
  readonly digest: Digest;
}

export interface SessionLimits {
  readonly denialStyle: DenialStyle;
  /** Longest line from the client, bytes. */
  readonly maxClientMessageBytes: number;
  /** Longest line from the upstream, bytes. */
  readonly maxServerMessageBytes: number;
  /** Requests in flight in each direction. */
  readonly maxInFlight: number;
  /** Bytes of requests in flight in each direction. */
  readonly maxInFlightBytes: number;
  /** How long a forwarded call may stay unanswered, milliseconds; 0 is for ever. */
  readonly callTimeoutMs: number;
  /** From a call's cancellation because its authority ended to the end of an upstream that has not answered it. */
  readonly killGraceMs: number;
  /** How long a call waits for the upstream's tool definitions, milliseconds. */
  readonly definitionsTimeoutMs: number;
  /** How long calls in flight may still be answered after the upstream sent garbage, milliseconds. */
  readonly garbageGraceMs: number;
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  denialStyle: 'error',
  maxClientMessageBytes: 4 * 1024 * 1024,
  maxServerMessageBytes: 64 * 1024 * 1024,
  maxInFlight: 1024,
  maxInFlightBytes: 256 * 1024 * 1024,
  callTimeoutMs: 600_000,
  killGraceMs: 5_000,
  definitionsTimeoutMs: 10_000,
  garbageGraceMs: 5_000,
};

export function presenterFor(ports: SessionPorts, request: RequestId): Presenter {
  return ports.presenterOf?.(request) ?? ports.presenter;
}
