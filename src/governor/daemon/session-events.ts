import { type Digest, isDigest, isJsonObject, type JsonObject } from '../../codec/index.ts';
import { type Denial, deny, isReasonCode } from '../../denial/index.ts';
import { DaemonFailed } from './daemon-error.ts';

/** What the daemon says when an enforcement point's session opens. */
export interface OpenedSession {
  readonly session: string;
  /** Name of the execution log. */
  readonly log: string;
  readonly audience: string;
  /** Base URL of where people approve (`approvalUrl`), where the daemon is configured with one. */
  readonly approvalsUrl?: string;
  /** Digests that the active policy pins tool definitions to, by tool identifier. */
  readonly pins: ReadonlyMap<string, Digest>;
}

export interface SessionListener {
  /** An execution no longer stands: its effect must be stopped. */
  readonly terminated: (executionId: string, denial: Denial) => void;
  readonly pins: (pins: OpenedSession['pins']) => void;
}

/** What the listener is told of a session's events. One that is not known changes nothing. */
export function dispatchEvent(name: string, data: JsonObject, listener: SessionListener): void {
  if (name === 'pins') listener.pins(pinsOf(data));
  else if (name === 'terminated' && typeof data.execution === 'string') {
    const code = isReasonCode(data.code) ? data.code : 'internal.unexpected';
    listener.terminated(data.execution, deny(code, typeof data.detail === 'string' ? data.detail : ''));
  }
}

/** @throws DaemonFailed where it is not as documented. */
export function openedOf(data: JsonObject): OpenedSession {
  const { session, log, audience, approvalsUrl } = data;
  if (typeof session !== 'string' || typeof log !== 'string' || typeof audience !== 'string') {
    throw new DaemonFailed('the daemon opened a session without saying which');
  }
  const where = typeof approvalsUrl === 'string' && /^https?:\/\//.test(approvalsUrl) ? { approvalsUrl } : {};
  return { session, log, audience, pins: pinsOf(data), ...where };
}

function pinsOf({ pins }: JsonObject): OpenedSession['pins'] {
  const digests = new Map<string, Digest>();
  if (!isJsonObject(pins)) throw new DaemonFailed('the daemon did not say what tools are pinned to');
  for (const [tool, digest] of Object.entries(pins)) {
    if (!isDigest(digest)) throw new DaemonFailed('the daemon pins a tool to what is no digest');
    digests.set(tool, digest);
  }
  return digests;
}
