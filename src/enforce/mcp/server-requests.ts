import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import {
  encodeDenial,
  encodeFault,
  encodeNotification,
  encodeStopped,
  FAULTS,
  type Fault,
} from './answer.ts';
import { cancelledBeforehand, type EffectEnd, faultEffect, stoppedEffect } from './effect-end.ts';
import { InFlight } from './in-flight.ts';
import type { RequestId, RequestMessage, ResponseMessage } from './message.ts';
import { classifyServerRequest, type MethodClass } from './method-class.ts';
import type { Action, EffectResult, Execution, Outcome } from './ports.ts';
import { present } from './presenter.ts';
import { RequestTable } from './request-table.ts';
import { GOVERNOR_FAILED, receiptOf, runAll } from './run-all.ts';
import type { Running } from './running.ts';
import type { SessionPorts } from './session-ports.ts';

type ServerRequest = InFlight<EffectEnd>;

/**
 * Requests the upstream makes of the client (2025-11-25 and before): sampling, elicitation, roots.
 *
 * INVARIANT: a question reaches the client only when it is permitted, and from the client only the one answer to a
 * permitted question that is still open reaches the upstream.
 */
export class ServerRequests {
  readonly #ports: SessionPorts;
  readonly #running: Running;
  readonly #table: RequestTable<EffectEnd>;
  #ended = false;

  constructor(ports: SessionPorts, running: Running) {
    this.#ports = ports;
    this.#running = running;
    this.#table = new RequestTable(ports.limits, ports.toUpstream);
  }

  /** Bytes of requests that are being decided. */
  get heldBytes(): number {
    return this.#table.heldBytes;
  }

  isTaken(id: RequestId): boolean {
    return this.#table.isTaken(id);
  }

  receive(request: RequestMessage, line: Buffer): void {
    if (this.#ended) return;
    const { id, method, params } = request;
    const refusal = this.#table.refusalOf(id);
    if (refusal !== undefined) {
      this.#ports.toUpstream(encodeDenial(id, refusal));
      return;
    }
    const methodClass = classifyServerRequest(this.#ports.server, method, params);
    const governed = methodClass.kind !== 'upkeep';
    const entry: ServerRequest = new InFlight(id, method, params, line, governed);
    this.#table.add(entry);
    if (governed) {
      this.#running.track(this.#govern(entry, methodClass));
    } else {
      this.#table.takeLine(entry);
      this.#ports.toClient(line);
    }
  }

  /** The client's answer; false where no permitted question is open under its id. */
  answer(response: ResponseMessage, line: Buffer): boolean {
    const entry = this.#table.get(response.id);
    if (entry === undefined) return this.#table.takeAbandoned(response.id);
    if (entry.state !== 'forwarded') return false;
    this.#table.answer(entry, line);
    const status = response.error === undefined ? 'succeeded' : 'failed';
    entry.settle({ status, value: { kind: 'delivered' }, evidence: line, result: response.result });
    return true;
  }

  /** A line from the client could not be read; `ids` are what it seemed to answer. False where nothing of that is open. */
  answerGarbled(ids: readonly RequestId[]): boolean {
    const entries = ids
      .flatMap((id) => this.#table.get(id) ?? [])
      .filter(({ state }) => state === 'forwarded');
    for (const entry of entries) {
      this.#table.answer(entry, encodeFault(entry.id, FAULTS.garbledAnswer));
      entry.settle(faultEffect(FAULTS.garbledAnswer));
    }
    return entries.length > 0;
  }

  /** The upstream no longer wants an answer; false where it asked nothing under this id. */
  cancel(id: RequestId, line: Buffer): boolean {
    const entry = this.#table.get(id);
    if (entry === undefined) return false;
    if (entry.cancelled) return true;
    entry.cancelled = true;
    if (entry.state !== 'forwarded') return true;
    this.#table.abandon(entry);
    this.#ports.toClient(line);
    entry.settle({ status: 'unknown', value: { kind: 'cancelled' }, note: 'cancelled by the upstream' });
    return true;
  }

  /** Whether the client may report progress under this token: a permitted question carries it. */
  expectsProgress(token: unknown): boolean {
    return this.#table
      .entries()
      .some(({ state, params }) => state === 'forwarded' && progressTokenOf(params) === token);
  }

  /** The session is over: nothing more is asked or answered. */
  end(fault: Fault): void {
    this.#ended = true;
    for (const entry of this.#table.entries()) {
      entry.cancelled = true;
      if (entry.state !== 'forwarded') continue;
      this.#table.close(entry);
      entry.settle(faultEffect(fault));
    }
  }

  async #govern(entry: ServerRequest, methodClass: MethodClass): Promise<void> {
    let outcome: Outcome<EffectEnd>;
    try {
      outcome = await this.#decideAndForward(entry, methodClass);
    } catch {
      outcome = GOVERNOR_FAILED;
    }
    this.#table.takeLine(entry);
    this.#finish(entry, outcome);
  }

  #decideAndForward(entry: ServerRequest, methodClass: MethodClass): Promise<Outcome<EffectEnd>> {
    const actions = methodClass.actions.map(
      (action) => (): Action => ({
        ...action,
        presentation: present(this.#ports.presenter, action.tool, action.args),
        ...(methodClass.denial === undefined ? {} : { refusal: methodClass.denial }),
      }),
    );
    return runAll(this.#ports.governor, actions, (execution) =>
      methodClass.kind === 'governed'
        ? this.#forward(entry, execution)
        : Promise.resolve(faultEffect(FAULTS.unsupportedMethod)),
    );
  }

  #forward(entry: ServerRequest, execution: Execution): Promise<EffectResult<EffectEnd>> {
    const line = this.#table.takeLine(entry);
    if (entry.cancelled || line === undefined) return Promise.resolve(cancelledBeforehand());
    if (execution.signal.aborted) {
      return Promise.resolve(stoppedEffect(execution.signal.reason, 'failed'));
    }
    // People answer these: they take the time they take, until the upstream or the session gives up.
    const end = entry.start(execution, 0, (_interruption, reason) => {
      this.#table.abandon(entry);
      this.#ports.toClient(encodeNotification('notifications/cancelled', { requestId: entry.id }));
      entry.settle(stoppedEffect(reason, 'unknown'));
    });
    this.#ports.toClient(line);
    return end;
  }

  #finish(entry: ServerRequest, outcome: Outcome<EffectEnd>): void {
    const { id } = entry;
    if (outcome.verdict === 'deny') {
      entry.state = 'settled';
      this.#table.answer(entry, encodeDenial(id, outcome.denial, receiptOf(outcome)));
      return;
    }
    const { executionId } = outcome;
    const { value } = outcome;
    if (value.kind === 'fault') this.#table.answer(entry, encodeFault(id, value.fault, executionId));
    else if (value.kind === 'stopped')
      this.#table.answer(entry, encodeStopped(id, value.denial, executionId));
    else this.#table.close(entry);
  }
}

function progressTokenOf(params: JsonObject): unknown {
  const meta = params._meta;
  return isJsonObject(meta) ? meta.progressToken : undefined;
}
