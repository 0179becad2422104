import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  encodeCallDenial,
  encodeDenial,
  encodeFault,
  encodeNotification,
  encodeStopped,
  encodeUnsupported,
  FAULTS,
  type Fault,
} from './answer.ts';
import { asksForInput, CallGate, isComplete, isSupportedAnswer } from './call-gate.ts';
import { addReceipt, readCallerTrace, readCallMeta } from './call-meta.ts';
import { cancelled, cancelledBeforehand, type EffectEnd, faultEffect, stoppedEffect } from './effect-end.ts';
import { eraOf } from './era.ts';
import { InFlight } from './in-flight.ts';
import { filterListing, isListMethod } from './listing.ts';
import type { RequestId, RequestMessage, ResponseMessage } from './message.ts';
import { classifyClientRequest, type MethodClass } from './method-class.ts';
import type { EffectResult, Execution, Outcome } from './ports.ts';
import { RequestTable } from './request-table.ts';
import { GOVERNOR_FAILED, receiptOf, runAll } from './run-all.ts';
import type { Running } from './running.ts';
import { presenterFor, type SessionPorts } from './session-ports.ts';
import { StoppedCalls } from './stopped-calls.ts';
import type { ToolDefinitions } from './tool-definitions.ts';

/** How the effect of a governed call ended. */
type CallEnd =
  | EffectEnd
  | { readonly kind: 'asks'; readonly response: ResponseMessage; readonly line: Buffer };

type Call = InFlight<CallEnd>;

const LISTEN = 'subscriptions/listen';

/** Requests from the client: decided, forwarded byte for byte, answered exactly once. */
export class ClientRequests {
  readonly #ports: SessionPorts;
  readonly #definitions: ToolDefinitions;
  readonly #running: Running;
  readonly #table: RequestTable<CallEnd>;
  readonly #gate: CallGate;
  /** Calls that garbage from the upstream may have been the answer to: each is given its grace once. */
  readonly #suspects = new WeakSet<Call>();
  readonly #stopped: StoppedCalls;
  #forwardedSinceGarbage = false;
  #upstreamFault: Fault | undefined;

  constructor(ports: SessionPorts, definitions: ToolDefinitions, running: Running) {
    this.#ports = ports;
    this.#definitions = definitions;
    this.#gate = new CallGate(ports, definitions);
    this.#running = running;
    this.#table = new RequestTable(ports.limits, ports.toClient);
    this.#stopped = new StoppedCalls(ports.limits.killGraceMs, () => ports.killUpstream?.());
  }

  /** Bytes of requests that are being decided. */
  get heldBytes(): number {
    return this.#table.heldBytes;
  }

  /** Whether no request but subscriptions awaits its answer. */
  get isQuiet(): boolean {
    return this.#table.entries().every(({ method }) => method === LISTEN);
  }

  isTaken(id: RequestId): boolean {
    return this.#table.isTaken(id);
  }

  receive(request: RequestMessage, line: Buffer): void {
    const { id, method, params } = request;
    const refusal = this.#refusalOf(id);
    if (refusal !== undefined) {
      this.#ports.toClient(encodeDenial(id, refusal));
      return;
    }
    if (this.#upstreamFault !== undefined) {
      this.#ports.toClient(encodeFault(id, FAULTS.notRunning));
      return;
    }
    const methodClass = classifyClientRequest(this.#ports.server, request);
    const governed = methodClass.kind !== 'upkeep';
    const call: Call = new InFlight(id, method, params, line, governed);
    this.#table.add(call);
    if (governed) {
      this.#running.track(this.#govern(call, methodClass));
    } else {
      this.#table.takeLine(call);
      this.#ports.toUpstream(line);
    }
  }

  /** The upstream's answer to a request; false where none is open under its id. */
  answer(response: ResponseMessage, line: Buffer): boolean {
    const call = this.#table.get(response.id);
    if (call === undefined) {
      this.#stopped.answered(response.id);
      return this.#answerUnawaited(response, line) || this.#table.takeAbandoned(response.id);
    }
    if (call.state !== 'forwarded') return false;
    if (call.governed) this.#answerGoverned(call, response, line);
    else this.#answerUpkeep(call, response, line);
    return true;
  }

  /**
   * The client no longer wants an answer. Nothing is told to the upstream of a request it has not seen.
   *
   * INVARIANT: what may go on is not out of sight. Else an agent would cancel its call, and what the upstream goes on with
   * all the same would outlast its authority.
   */
  cancel(id: RequestId, line: Buffer): void {
    const call = this.#table.get(id);
    if (call === undefined || call.method === 'initialize' || call.cancelled) return;
    call.cancelled = true;
    if (call.state !== 'forwarded') return;
    this.#ports.toUpstream(line);
    if (call.governed && call.method !== LISTEN) {
      this.#table.setUnawaited(call);
      return;
    }
    this.#table.abandon(call);
    call.settle(cancelled('succeeded'));
  }

  /** The upstream ends a subscription of the client's (2026-07-28); false where there is none under this id. */
  endSubscription(id: RequestId): boolean {
    const call = this.#table.get(id);
    if (call?.method !== LISTEN || call.state !== 'forwarded') return false;
    this.#table.close(call);
    call.settle({ status: 'succeeded', value: { kind: 'delivered' }, note: 'ended by the upstream' });
    return true;
  }

  hasSubscription(id: RequestId): boolean {
    const call = this.#table.get(id);
    return call?.method === LISTEN && call.state === 'forwarded';
  }

  /** A line from the upstream could not be read; `ids` are whom it seemed to answer. */
  answerGarbled(ids: readonly RequestId[]): void {
    const named = ids.flatMap((id) => this.#table.get(id) ?? []).filter(isForwarded);
    if (named.length > 0) {
      for (const call of named) this.#fail(call, FAULTS.garbage);
      return;
    }
    // INVARIANT: garbage costs one timer and one look at a call, however many lines of it there are.
    if (!this.#forwardedSinceGarbage) return;
    this.#forwardedSinceGarbage = false;
    const suspects = this.#table
      .entries()
      .filter((call) => isForwarded(call) && call.governed && !this.#suspects.has(call));
    if (suspects.length === 0) return;
    for (const call of suspects) this.#suspects.add(call);
    setTimeout(() => {
      for (const call of suspects.filter(isForwarded)) this.#fail(call, FAULTS.garbage);
    }, this.#ports.limits.garbageGraceMs).unref();
  }

  /** The transport knows that no answer to a request will come. */
  lose(id: RequestId, fault: Fault): void {
    this.#stopped.answered(id);
    this.#table.takeUnawaited(id)?.settle(cancelled('unknown'));
    const call = this.#table.get(id);
    if (call !== undefined && isForwarded(call)) this.#fail(call, fault);
  }

  /** The upstream is gone: everything it has seen fails, everything it has not seen is not forwarded. */
  upstreamFailed(fault: Fault): void {
    this.#upstreamFault ??= fault;
    this.#stopped.close();
    for (const call of this.#table.unawaited()) {
      this.#table.takeUnawaited(call.id);
      call.settle(cancelled('unknown'));
    }
    for (const call of this.#table.entries().filter(isForwarded)) this.#fail(call, fault);
  }

  #refusalOf(id: RequestId): Denial | undefined {
    if (this.#definitions.isOwnSubscription(id)) return deny('request.malformed', 'id is reserved');
    return this.#table.refusalOf(id);
  }

  async #govern(call: Call, methodClass: MethodClass): Promise<void> {
    let outcome: Outcome<CallEnd> | undefined;
    try {
      outcome = await this.#decideAndForward(call, methodClass);
    } catch {
      outcome = GOVERNOR_FAILED;
    }
    this.#table.takeLine(call);
    try {
      if (outcome === undefined) this.#table.close(call);
      else if (outcome.verdict === 'deny' && methodClass.kind === 'unsupported') {
        // Whatever may be done here, this method is not there: clients go by that when they find out what is.
        this.#table.answer(call, encodeUnsupported(call.id, outcome.denial, receiptOf(outcome)));
      } else await this.#finish(call, outcome);
    } catch {
      this.#table.answer(call, encodeDenial(call.id, deny('internal.unexpected', 'governor failed')));
    }
  }

  async #decideAndForward(call: Call, methodClass: MethodClass): Promise<Outcome<CallEnd> | undefined> {
    const asked = this.#gate.actionsOf(call, methodClass);
    const { actions, passes } = 'then' in asked ? await asked : asked;
    if (call.cancelled) return undefined;
    const effect = (execution: Execution) =>
      passes ? this.#forward(call, execution) : Promise.resolve(faultEffect(FAULTS.unsupportedMethod));
    return runAll(this.#ports.governor, actions, effect, readCallerTrace(call.params));
  }

  /** The effect: write exactly the bytes that were parsed (but for an answer to the gateway itself), wait for the answer. */
  #forward(call: Call, execution: Execution): Promise<EffectResult<CallEnd>> {
    const { method } = call;
    const line = this.#table.takeLine(call);
    if (call.cancelled) return Promise.resolve(cancelledBeforehand());
    if (line === undefined || this.#upstreamFault !== undefined) {
      return Promise.resolve(faultEffect(FAULTS.notRunning));
    }
    if (execution.signal.aborted) {
      return Promise.resolve(stoppedEffect(execution.signal.reason, 'failed'));
    }
    const forwarded = this.#gate.takeRound(call, line);
    if (forwarded === undefined) return Promise.resolve(faultEffect(FAULTS.repeated));
    const timeoutMs = method === LISTEN ? 0 : this.#ports.limits.callTimeoutMs;
    const end = call.start(execution, timeoutMs, (interruption, reason) => {
      if (interruption === 'timeout') {
        this.#fail(call, FAULTS.silent);
        return;
      }
      if (call.cancelled) this.#table.abandon(call);
      else this.#giveUp(call);
      // What a subscription still says is not let through; it does nothing else.
      if (isDenial(reason) && method !== LISTEN) this.#stopped.add(call.id);
      call.settle(stoppedEffect(reason, 'unknown'));
    });
    this.#forwardedSinceGarbage = true;
    this.#ports.toUpstream(forwarded);
    return end;
  }

  #answerGoverned(call: Call, response: ResponseMessage, line: Buffer): void {
    const { result, error } = response;
    const status = error !== undefined || result?.isError === true ? 'failed' : 'succeeded';
    if (asksForInput(call.method, response)) {
      const note = 'upstream asked for input';
      call.settle({ status, value: { kind: 'asks', response, line }, evidence: line, result, note });
      return;
    }
    if (!isComplete(result)) {
      call.settle({ ...faultEffect(FAULTS.unsupportedAnswer), evidence: line });
      return;
    }
    this.#table.answer(call, this.#withReceipt(call, response, line));
    call.settle({ status, value: { kind: 'delivered' }, evidence: line, result });
  }

  /** Nobody hears it; the outcome says how a cancelled call ended after all. */
  #answerUnawaited({ id, result, error }: ResponseMessage, line: Buffer): boolean {
    const call = this.#table.takeUnawaited(id);
    if (call === undefined) return false;
    const status = error !== undefined || result?.isError === true ? 'failed' : 'succeeded';
    call.settle({ ...cancelled(status), evidence: line, result });
    return true;
  }

  #answerUpkeep(call: Call, response: ResponseMessage, line: Buffer): void {
    const { id, method } = call;
    const { result } = response;
    call.state = 'settled';
    if (!isSupportedAnswer(response)) {
      this.#table.answer(call, encodeFault(id, FAULTS.unsupportedAnswer));
      return;
    }
    if (result === undefined || !isListMethod(method)) {
      this.#table.answer(call, line);
      return;
    }
    const { server, pinnedDigest, digestOf } = this.#ports;
    const presenter = presenterFor(this.#ports, id);
    const grants = (tool: string): boolean => presenter.grants(tool);
    const listing = filterListing(method, id, result, { server, grants, pinnedDigest, digestOf });
    const { tools } = result;
    if (method === 'tools/list' && Array.isArray(tools)) this.#definitions.observe(tools);
    if (listing === undefined) this.#table.answer(call, encodeFault(id, FAULTS.unsupportedAnswer));
    else this.#table.answer(call, listing === 'unchanged' ? line : listing);
  }

  async #finish(call: Call, outcome: Outcome<CallEnd>): Promise<void> {
    const { id, params } = call;
    if (outcome.verdict === 'deny') {
      if (call.state === 'forwarded') this.#giveUp(call);
      call.state = 'settled';
      const { limits } = this.#ports;
      const modern = eraOf(params).kind === 'modern';
      const { denial, executionId } = outcome;
      if (call.executionId !== undefined) {
        this.#table.answer(call, encodeStopped(id, denial, executionId));
        return;
      }
      const question = this.#gate.askForApproval(call, denial, receiptOf(outcome));
      if (question !== undefined) {
        this.#table.answer(call, question);
        return;
      }
      this.#table.answer(
        call,
        call.method === 'tools/call'
          ? encodeCallDenial(id, denial, receiptOf(outcome), limits.denialStyle, modern)
          : encodeDenial(id, denial, receiptOf(outcome)),
      );
      return;
    }
    const { executionId, value } = outcome;
    switch (value.kind) {
      case 'delivered':
      case 'cancelled':
        this.#table.close(call);
        return;
      case 'fault':
        this.#table.answer(call, encodeFault(id, value.fault, executionId));
        return;
      case 'stopped':
        this.#table.answer(call, encodeStopped(id, value.denial, executionId));
        return;
      case 'asks':
        await this.#letQuestionsThrough(call, value.response, value.line, executionId);
    }
  }

  async #letQuestionsThrough(
    call: Call,
    response: ResponseMessage,
    line: Buffer,
    executionId: string,
  ): Promise<void> {
    const instead = await this.#gate.withhold(call, response, executionId);
    this.#table.answer(call, instead ?? this.#withReceipt(call, response, line));
  }

  #withReceipt(call: Call, response: ResponseMessage, line: Buffer): Buffer {
    const meta = readCallMeta(call.params);
    const wanted = !isDenial(meta) && meta.wantsReceipt && response.result !== undefined;
    return wanted && call.executionId !== undefined ? addReceipt(response, call.executionId) : line;
  }

  /** Ends a forwarded request whose answer will not be used any more. */
  #fail(call: Call, fault: Fault): void {
    if (call.cancelled) this.#table.abandon(call);
    else if (this.#upstreamFault === undefined) this.#giveUp(call);
    if (call.governed) {
      call.settle(call.cancelled ? cancelled('unknown') : faultEffect(fault));
      return;
    }
    call.state = 'settled';
    this.#table.answer(call, encodeFault(call.id, fault));
  }

  #giveUp(call: Call): void {
    this.#table.abandon(call);
    if (call.method === 'initialize') return;
    this.#ports.toUpstream(encodeNotification('notifications/cancelled', { requestId: call.id }));
  }
}

function isForwarded(call: Call): boolean {
  return call.state === 'forwarded';
}
