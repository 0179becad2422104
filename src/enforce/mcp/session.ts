import { type Denial, deny } from '../../denial/index.ts';
import { encodeDenial, encodeParseError, type Fault } from './answer.ts';
import { ClientRequests } from './client-requests.ts';
import { eraOf, subscriptionIdOf } from './era.ts';
import {
  isRequestId,
  type NotificationMessage,
  parseMessage,
  type RefusedLine,
  type RequestId,
  type RequestMessage,
  type ResponseMessage,
} from './message.ts';
import { OwnRequests } from './own-requests.ts';
import { Running } from './running.ts';
import { ServerRequests } from './server-requests.ts';
import type { SessionPorts } from './session-ports.ts';
import { ToolDefinitions } from './tool-definitions.ts';
import { mcpToolId } from './tool-id.ts';

const CLIENT_DEPTH = 64;
/** Results nest deeper than arguments: a tree of a tool's own making is nobody's attack. */
const SERVER_DEPTH = 256;

/** Notifications of the server's that pass as they are. */
const SERVER_NOTIFICATIONS = new Set([
  'notifications/progress',
  'notifications/message',
  'notifications/resources/updated',
  'notifications/resources/list_changed',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/elicitation/complete',
  'notifications/subscriptions/acknowledged',
]);

/**
 * One client and one upstream, talking in lines (MCP stdio transport). Holds no stream and no process: bytes come in,
 * bytes go out through the ports. Nothing here throws on what a peer sends.
 */
export class Session {
  readonly #ports: SessionPorts;
  readonly #running = new Running();
  readonly #own: OwnRequests;
  readonly #definitions: ToolDefinitions;
  readonly #clientRequests: ClientRequests;
  readonly #serverRequests: ServerRequests;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
    this.#own = new OwnRequests(ports.toUpstream);
    this.#definitions = new ToolDefinitions({
      requests: this.#own,
      digestOf: ports.digestOf,
      timeoutMs: ports.limits.definitionsTimeoutMs,
      diagnose: ports.diagnose,
      onList: (digests) =>
        ports.onDefinitions(
          [...digests].map(([name, digest]) => ({ id: mcpToolId(ports.server, 'tools', name), digest })),
        ),
    });
    this.#clientRequests = new ClientRequests(ports, this.#definitions, this.#running);
    this.#serverRequests = new ServerRequests(ports, this.#running);
  }

  /** Bytes of messages that wait for a decision, by the side they came from. */
  get heldBytes(): { client: number; upstream: number } {
    return { client: this.#clientRequests.heldBytes, upstream: this.#serverRequests.heldBytes };
  }

  /** Whether everything the client asked has been answered. */
  get isQuiet(): boolean {
    return this.#running.isIdle && this.#clientRequests.isQuiet;
  }

  /** Resolves when nothing is being decided or executed. */
  idle(): Promise<void> {
    return this.#running.idle();
  }

  /** One line from the client, its newline included. */
  fromClient(line: Buffer): void {
    if (isBlank(line)) return;
    const maxBytes = this.#ports.limits.maxClientMessageBytes;
    const message = parseMessage(line, { maxBytes, maxDepth: CLIENT_DEPTH });
    switch (message.kind) {
      case 'request':
        this.#clientRequest(message, line);
        return;
      case 'notification':
        this.#clientNotification(message, line);
        return;
      case 'response':
        if (!this.#serverRequests.answer(message, line)) {
          this.#ports.diagnose('dropped an answer from the client to nothing that was asked');
        }
        return;
      case 'refused':
        this.#refuseClientLine(message);
    }
  }

  /** One line from the upstream, its newline included. */
  fromUpstream(line: Buffer): void {
    if (isBlank(line)) return;
    const maxBytes = this.#ports.limits.maxServerMessageBytes;
    const message = parseMessage(line, { maxBytes, maxDepth: SERVER_DEPTH });
    switch (message.kind) {
      case 'request':
        this.#serverRequests.receive(message, line);
        return;
      case 'notification':
        this.#serverNotification(message, line);
        return;
      case 'response':
        this.#serverResponse(message, line);
        return;
      case 'refused':
        this.#refuseUpstreamLine(message);
    }
  }

  /** A line from the client was longer than allowed; the rest of it is being skipped. */
  clientLineTooLong(): void {
    this.#ports.diagnose('refused a message from the client that is over the size limit');
    this.#ports.toClient(encodeDenial(null, deny('request.too_large', 'message is over the size limit')));
  }

  /** The transport knows that no answer to a forwarded request will come: one that answers each on a stream of its own. */
  requestLost(id: RequestId, fault: Fault): void {
    if (this.#own.isOwn(id)) {
      const error = { code: -32603, message: fault.message };
      this.#own.take({ kind: 'response', id, result: undefined, error });
    } else this.#clientRequests.lose(id, fault);
  }

  /** The upstream is gone or can't be trusted any more. */
  upstreamFailed(fault: Fault): void {
    this.#own.close();
    this.#serverRequests.end(fault);
    this.#clientRequests.upstreamFailed(fault);
  }

  #clientRequest(request: RequestMessage, line: Buffer): void {
    const { id, params } = request;
    if (this.#own.isOwn(id)) {
      this.#ports.toClient(encodeDenial(id, deny('request.malformed', 'id is reserved')));
      return;
    }
    this.#clientRequests.receive(request, line);
    const era = eraOf(params);
    // A probe may meet a server of the older era, which is not ready before its handshake: wait for what comes next.
    if (era.kind === 'modern' && request.method !== 'server/discover') this.#definitions.ready(era);
  }

  #clientNotification({ method, params }: NotificationMessage, line: Buffer): void {
    switch (method) {
      case 'notifications/initialized':
        this.#ports.toUpstream(line);
        this.#definitions.ready({ kind: 'legacy' });
        return;
      case 'notifications/roots/list_changed':
        this.#ports.toUpstream(line);
        return;
      case 'notifications/progress':
        if (this.#serverRequests.expectsProgress(params.progressToken)) this.#ports.toUpstream(line);
        else this.#ports.diagnose('dropped progress from the client on nothing that was asked');
        return;
      case 'notifications/cancelled': {
        const { requestId } = params;
        if (isRequestId(requestId)) this.#clientRequests.cancel(requestId, line);
        return;
      }
      default:
        this.#ports.diagnose('dropped a notification from the client that is not known');
    }
  }

  #serverNotification(message: NotificationMessage, line: Buffer): void {
    const { method, params } = message;
    const subscription = subscriptionIdOf(params);
    if (method === 'notifications/cancelled') {
      this.#serverCancellation(message, line);
      return;
    }
    if (!SERVER_NOTIFICATIONS.has(method)) {
      this.#ports.diagnose('dropped a notification from the upstream that is not known');
      return;
    }
    if (method === 'notifications/tools/list_changed') this.#definitions.changed();
    if (subscription !== undefined && !this.#clientRequests.hasSubscription(subscription)) return;
    this.#ports.toClient(line);
  }

  #serverCancellation({ params }: NotificationMessage, line: Buffer): void {
    const { requestId } = params;
    if (!isRequestId(requestId)) return;
    if (this.#own.isOwn(requestId)) this.#definitions.subscriptionEnded(requestId);
    else if (this.#serverRequests.cancel(requestId, line)) return;
    else if (this.#clientRequests.endSubscription(requestId)) this.#ports.toClient(line);
  }

  #serverResponse(response: ResponseMessage, line: Buffer): void {
    if (this.#own.isOwn(response.id)) {
      this.#own.take(response);
      return;
    }
    if (!this.#clientRequests.answer(response, line)) {
      this.#ports.diagnose('dropped an answer from the upstream to nothing that was asked');
    }
  }

  #refuseClientLine({ fault, denial, hints }: RefusedLine): void {
    this.#ports.diagnose(`refused a line from the client (${denial.detail})`);
    if (fault === 'orphan' || this.#serverRequests.answerGarbled(hints.answers)) return;
    // An id that is in flight belongs to another request, which this must not seem to answer.
    const free = hints.requests.filter((id) => !this.#clientRequests.isTaken(id) && !this.#own.isOwn(id));
    for (const id of free.length > 0 ? new Set(free) : [null]) {
      this.#ports.toClient(encodeRefusal(id, fault, denial));
    }
  }

  #refuseUpstreamLine({ fault, denial, hints }: RefusedLine): void {
    this.#ports.diagnose(`dropped a line from the upstream (${denial.detail})`);
    if (fault === 'orphan') return;
    const free = hints.requests.filter((id) => !this.#serverRequests.isTaken(id));
    for (const id of new Set(free)) this.#ports.toUpstream(encodeRefusal(id, fault, denial));
    if (hints.answers.length > 0 || hints.requests.length === 0) {
      this.#clientRequests.answerGarbled(hints.answers);
    }
  }
}

/** What could not be parsed and what is no message have JSON-RPC codes of their own. */
function encodeRefusal(id: RequestId | null, fault: RefusedLine['fault'], denial: Denial): Buffer {
  return fault === 'parse' ? encodeParseError(id, denial) : encodeDenial(id, denial);
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) {
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) return false;
  }
  return true;
}
