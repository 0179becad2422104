import type { IncomingMessage } from 'node:http';
import { type Digest, isDigest, isJsonObject, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial, isReasonCode } from '../../denial/index.ts';
import { DaemonFailed } from './daemon-link.ts';

/** What the daemon says when an enforcement point's session opens. */
export interface OpenedSession {
  readonly session: string;
  /** Name of the execution log. */
  readonly log: string;
  readonly audience: string;
  /** Digests that the active policy pins tool definitions to, by tool identifier. */
  readonly pins: ReadonlyMap<string, Digest>;
  /** Base URL of where people approve (`approvalUrl`), where the daemon is configured with one. */
  readonly approvalsUrl?: string;
}

export interface SessionListener {
  readonly opened: (opened: OpenedSession) => void;
  /** An execution no longer stands: its effect must be stopped. */
  readonly terminated: (executionId: string, denial: Denial) => void;
  readonly pins: (pins: OpenedSession['pins']) => void;
}

const MAX_EVENT_BYTES = 8 * 1024 * 1024;

/** Reads a session's events (text/event-stream, one `data` line each) until the daemon ends it or breaks off. */
export async function readSessionStream(response: IncomingMessage, listener: SessionListener): Promise<void> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += String(chunk);
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      dispatch(text.slice(0, end), listener);
      text = text.slice(end + 2);
    }
    if (text.length > MAX_EVENT_BYTES) throw new DaemonFailed('the daemon sent too long an event');
  }
}

function dispatch(block: string, listener: SessionListener): void {
  const fields = new Map(
    block.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')] as const;
    }),
  );
  const name = fields.get('event');
  // A comment that keeps the connection alive.
  if (name === undefined) return;
  const data = parseJsonObject(fields.get('data') ?? '', 'request.malformed', { maxBytes: MAX_EVENT_BYTES });
  if (isDenial(data)) throw new DaemonFailed(`the daemon sent an event that is ${data.detail}`);
  if (name === 'opened') listener.opened(openedOf(data));
  else if (name === 'pins') listener.pins(pinsOf(data));
  else if (name === 'terminated' && typeof data.execution === 'string') {
    const code = isReasonCode(data.code) ? data.code : 'internal.unexpected';
    listener.terminated(data.execution, deny(code, typeof data.detail === 'string' ? data.detail : ''));
  }
}

function openedOf(data: JsonObject): OpenedSession {
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
