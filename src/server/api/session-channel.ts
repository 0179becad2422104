import type { z } from '@hono/zod-openapi';
import type { WebSocket } from 'ws';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type CallerTrace, MAX_FRAME_REQUESTS, parseCallerTrace } from '../../governor/index.ts';
import { bundleOf } from '../../workload/index.ts';
import type { Caller } from '../access/caller.ts';
import { approvalsBaseUrl } from '../config/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import type { PointSession } from '../daemon/point-session.ts';
import type { ConnectedRuntime } from '../daemon/point-sessions.ts';
import { actionOf, endOf } from './execution-messages.ts';
import { OutgoingFrames } from './outgoing-frames.ts';
import { watchPins } from './pins.ts';
import { denialBody, type ProblemBody, problemBody } from './problem.ts';
import {
  askRequest,
  componentsRequest,
  concludeLeftRequest,
  concludeRequest,
  leaveRequest,
  openRequest,
  toolsRequest,
} from './session-requests.ts';
import { NOT_ANY_MORE, watchConnection } from './watch-connection.ts';

export interface SessionChannelOptions extends DaemonPorts {
  /** Configured name of the enforcement point. */
  readonly name: string;
  /** Who is connected, if it still may be and within its rate: asked before everything but what ends an execution. */
  readonly admit: () => Caller | Response;
  readonly runtime: ConnectedRuntime;
  /** Certificates whose key the connection proved to hold, where it did. */
  readonly peerCertificates?: readonly string[] | undefined;
  /** Whether it still may, looked at now and then. */
  readonly stands: () => boolean;
}

/** A call of 4 MiB, whose proof repeats its arguments in base64url. */
const MAX_ACTION_BYTES = 12 * 1024 * 1024;
/** Decisions and late outcomes that one session may have under way; its next frame is read when there are fewer. */
const MAX_UNDER_WAY = 1024;
/** Close codes (RFC 6455 §7.4.1). */
const PROTOCOL_ERROR = 1002;
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;
const TRY_AGAIN_LATER = 1013;

/**
 * Serves one runtime of an enforcement point on a WebSocket (spec/session.md): frames are arrays of requests, and each is
 * answered as HTTP would be, by a status and a body. Whatever is not as documented ends the session, and with it whatever
 * runs in it.
 */
export function serveSession(socket: WebSocket, options: SessionChannelOptions): void {
  new SessionChannel(socket, options);
}

/** Too many requests is no refusal of who sends them. */
function isRefused(admitted: Caller | Response): boolean {
  return admitted instanceof Response && admitted.status !== 429;
}

class SessionChannel {
  readonly #socket: WebSocket;
  readonly #options: SessionChannelOptions;
  readonly #frames: OutgoingFrames;
  readonly #ends: (() => void)[] = [];
  #session: PointSession | undefined;
  #opening = false;
  #underWay = 0;
  #ended = false;

  constructor(socket: WebSocket, options: SessionChannelOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#frames = new OutgoingFrames(socket);
    this.#ends.push(
      watchConnection(socket, {
        isOpen: () => this.#session !== undefined,
        stands: options.stands,
        end: (reason) => this.#fail(POLICY_VIOLATION, reason),
      }),
    );
    socket.on('message', (data, isBinary) => {
      if (this.#ended) return;
      // INVARIANT: nothing that is thrown for a frame leaves the listener: it would end the daemon, and every other session. What
      // such a frame set half-way is not decided on, because the session ends.
      try {
        if (!(data instanceof Buffer) || isBinary) this.#fail(PROTOCOL_ERROR, 'frames are text');
        else this.#read(data);
      } catch {
        this.#fail(INTERNAL_ERROR, 'unforeseen');
      }
    });
    // What is wrong with a frame; 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#end());
  }

  #read(frame: Buffer): void {
    const requests = parseJson(frame, 'request.malformed', { maxBytes: frame.byteLength });
    if (isDenial(requests)) {
      this.#fail(PROTOCOL_ERROR, requests.detail);
    } else if (!Array.isArray(requests) || requests.length > MAX_FRAME_REQUESTS) {
      this.#fail(PROTOCOL_ERROR, `a frame is an array of at most ${MAX_FRAME_REQUESTS} requests`);
    } else {
      for (const request of requests) {
        if (!this.#ended) this.#take(request, frame.byteLength);
      }
    }
  }

  #take(request: JsonValue, bytes: number): void {
    const session = this.#session;
    if (!isJsonObject(request)) {
      this.#fail(PROTOCOL_ERROR, 'a request is an object');
    } else if (session === undefined) {
      this.#parse(openRequest, request, (read) => {
        this.#open(read).catch(() => this.#fail(INTERNAL_ERROR, 'unforeseen'));
      });
    } else if ('conclude' in request) {
      this.#parse(concludeRequest, request, (read) => this.#conclude(session, read));
    } else if (bytes > MAX_ACTION_BYTES) {
      this.#fail(PROTOCOL_ERROR, 'the frame is too long');
    } else if ('leave' in request) {
      this.#parse(leaveRequest, request, ({ id, leave }) => this.#answerEnded(id, session.leave(leave)));
    } else if (!this.#isAdmitted(request)) {
      // Answered, or ended with.
    } else if ('components' in request) {
      this.#parse(componentsRequest, request, ({ id, components, measuredAtSeconds, bootId }) => {
        session.setComponents(components, this.#notAhead(measuredAtSeconds), bootId);
        this.#answer(id, 200, {});
      });
    } else if ('ask' in request) {
      this.#parse(askRequest, request, (read) => void this.#ask(session, read));
    } else if ('concludeLeft' in request) {
      this.#parse(concludeLeftRequest, request, (read) => void this.#concludeLeft(read));
    } else {
      this.#parse(toolsRequest, request, ({ id, tools }) => {
        session.setTools(tools);
        this.#answer(id, 200, {});
      });
    }
  }

  /** What ends an execution is always taken; all else is asked by a caller that still may, within its rate. */
  #isAdmitted({ id }: JsonObject): boolean {
    const admitted = this.#options.admit();
    if (!(admitted instanceof Response)) return true;
    if (isRefused(admitted) || typeof id !== 'number') this.#fail(POLICY_VIOLATION, NOT_ANY_MORE);
    else this.#answerProblem(id, problemBody(429, 'Too many requests.'));
    return false;
  }

  #parse<T>(shape: z.ZodType<T>, request: JsonObject, take: (read: T) => void): void {
    const read = shape.safeParse(request);
    if (read.success) {
      take(read.data);
      return;
    }
    const [issue] = read.error.issues;
    const detail = `${issue?.path.join('.') || 'request'}: ${issue?.message ?? 'not as documented'}`;
    const { id } = request;
    if (this.#session === undefined || typeof id !== 'number') {
      this.#fail(PROTOCOL_ERROR, detail);
    } else {
      const denial = deny('request.malformed', detail);
      this.#answerProblem(id, denialBody(denial, { detail: detail.slice(0, 300) }));
    }
  }

  /** Nobody measured in the future: an instant to come would never grow stale. */
  #notAhead(seconds: number): number {
    return Math.min(seconds, Math.floor(this.#options.clock.wallMs() / 1000));
  }

  async #open({ id, open }: z.infer<typeof openRequest>): Promise<void> {
    if (this.#opening) {
      this.#fail(PROTOCOL_ERROR, 'nothing is asked before the session is open');
      return;
    }
    this.#opening = true;
    const { sessions, follower, name, runtime } = this.#options;
    const opened = await sessions.open({
      ...{ name, components: open.components, bootId: open.bootId },
      measuredAtSeconds: this.#notAhead(open.measuredAtSeconds),
      runtime,
      onTerminated: (execution, { code }: Denial) => this.#tell('terminated', { execution, code }),
    });
    if (isDenial(opened)) {
      this.#answerProblem(id, denialBody(opened, { detail: opened.detail }));
      this.#fail(TRY_AGAIN_LATER, opened.code);
      return;
    }
    const { session, point } = opened;
    const pins = watchPins(follower, (now) => this.#tell('pins', { pins: now }));
    this.#ends.push(pins.stop, () => void sessions.end(session));
    if (this.#ended) {
      this.#end();
      return;
    }
    this.#session = session;
    const { log, audience } = point;
    const approvalsUrl = approvalsBaseUrl(this.#options.config);
    const where = approvalsUrl === undefined ? {} : { approvalsUrl };
    this.#answer(id, 200, { session: session.id, log, audience, pins: pins.first, ...where });
  }

  async #ask(session: PointSession, { id, ask, trace }: z.infer<typeof askRequest>): Promise<void> {
    this.#begin();
    try {
      const caller = trace && parseCallerTrace(trace.traceparent, trace.tracestate);
      await this.#decide(session, id, this.#ofPeer(actionOf(ask)), caller);
    } catch {
      this.#answerProblem(id, denialBody(deny('internal.unexpected', 'unforeseen')));
    }
    this.#finish();
  }

  #begin(): void {
    this.#underWay += 1;
    if (this.#underWay === MAX_UNDER_WAY) this.#socket.pause();
  }

  #finish(): void {
    if (this.#underWay === MAX_UNDER_WAY) this.#socket.resume();
    this.#underWay -= 1;
  }

  /** A certificate of no trust domain that is known is an operator's, and says nothing of a workload. */
  #ofPeer(action: Action): Action {
    const { peerCertificates: certificates, trustBundles } = this.#options;
    const isKnown =
      certificates && bundleOf({ kind: 'x509-svid', certificates }, trustBundles()) !== undefined;
    return isKnown ? { ...action, peerCertificates: certificates } : action;
  }

  async #decide(session: PointSession, id: number, action: Action, caller?: CallerTrace): Promise<void> {
    const { metrics, clock, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    const decided = await session.ask(action, caller);
    if (isDenial(decided)) {
      this.#answerProblem(id, denialBody(decided));
      return;
    }
    const denial = decided.verdict === 'deny' ? decided.denial : undefined;
    metrics.decided(denial, clock.monotonicMs() - startedMs);
    const { executionId: execution, receiptIndex: receipt } = decided;
    if (denial === undefined) {
      this.#answer(id, 201, { execution, receipt });
      return;
    }
    logger.info({ execution, code: denial.code }, 'denied');
    const members = { execution, ...(receipt === undefined ? {} : { receipt }) };
    this.#answerProblem(id, denialBody(denial, members));
  }

  #conclude(session: PointSession, { id, conclude, outcome }: z.infer<typeof concludeRequest>): void {
    this.#answerEnded(id, session.conclude(conclude, endOf(outcome)));
  }

  #answerEnded(id: number, ended: Denial | undefined | 'unknown'): void {
    if (ended === 'unknown') this.#answerProblem(id, problemBody(404, 'No such execution runs here.'));
    else this.#answer(id, 200, ended === undefined ? {} : { terminated: ended.code });
  }

  async #concludeLeft(read: z.infer<typeof concludeLeftRequest>): Promise<void> {
    const { id, concludeLeft, outcome } = read;
    const { sessions, name } = this.#options;
    this.#begin();
    const refused = await sessions
      .concludeLater(name, concludeLeft, endOf(outcome))
      .catch(() => deny('internal.unexpected', 'unforeseen'));
    this.#finish();
    if (refused === undefined) this.#answer(id, 200, {});
    else this.#answerProblem(id, denialBody(refused, { detail: refused.detail }));
  }

  #answer(id: number, status: number, body: object): void {
    this.#frames.send({ id, status, body });
  }

  #answerProblem(id: number, body: ProblemBody): void {
    this.#answer(id, body.status, body);
  }

  #tell(event: string, data: object): void {
    this.#frames.send({ event, data });
  }

  #fail(code: number, reason: string): void {
    if (this.#ended) return;
    this.#options.logger.warn({ point: this.#options.name, reason }, 'session ended');
    this.#frames.close(code, reason);
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    for (const end of this.#ends.splice(0)) end();
  }
}
