import type { Digest, JsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  encodeCallDenial,
  encodeDenial,
  encodeFault,
  encodeNotification,
  encodeStopped,
  FAULTS,
  type Fault,
} from './answer.ts';
import { addReceipt, readCallMeta } from './call-meta.ts';
import { cancelledBeforehand, type EffectEnd, faultEffect, stoppedEffect } from './effect-end.ts';
import { eraOf } from './era.ts';
import { InFlight } from './in-flight.ts';
import { readInputQuestions } from './input-questions.ts';
import { InputRounds } from './input-rounds.ts';
import { filterListing, isListMethod } from './listing.ts';
import type { RequestId, RequestMessage, ResponseMessage } from './message.ts';
import { classifyClientRequest, INPUT_REQUIRING_METHODS, type MethodClass } from './method-class.ts';
import type { Action, EffectResult, Execution, Outcome } from './ports.ts';
import { findWithheldQuestion } from './question-gate.ts';
import { RequestTable } from './request-table.ts';
import { receiptOf, runAll } from './run-all.ts';
import type { Running } from './running.ts';
import type { SessionPorts } from './session-ports.ts';
import type { ToolDefinitions } from './tool-definitions.ts';

/** How the effect of a governed call ended. */
type CallEnd =
  | EffectEnd
  | { readonly kind: 'asks'; readonly response: ResponseMessage; readonly line: Buffer };

type Call = InFlight<CallEnd>;

const URL_ELICITATION_REQUIRED = -32042;
const LISTEN = 'subscriptions/listen';

/** Requests from the client: decided, forwarded byte for byte, answered exactly once. */
export class ClientRequests {
  readonly #ports: SessionPorts;
  readonly #definitions: ToolDefinitions;
  readonly #running: Running;
  readonly #table: RequestTable<CallEnd>;
  readonly #rounds = new InputRounds();
  /** Calls that garbage from the upstream may have been the answer to: each is given its grace once. */
  readonly #suspects = new WeakSet<Call>();
  #forwardedSinceGarbage = false;
  #upstreamFault: Fault | undefined;

  constructor(ports: SessionPorts, definitions: ToolDefinitions, running: Running) {
    this.#ports = ports;
    this.#definitions = definitions;
    this.#running = running;
    this.#table = new RequestTable(ports.limits, ports.toClient);
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
    if (call === undefined) return this.#table.takeAbandoned(response.id);
    if (call.state !== 'forwarded') return false;
    if (call.governed) this.#answerGoverned(call, response, line);
    else this.#answerUpkeep(call, response, line);
    return true;
  }

  /** The client no longer wants an answer. Nothing is told to the upstream of a request it has not seen. */
  cancel(id: RequestId, line: Buffer): void {
    const call = this.#table.get(id);
    if (call === undefined || call.method === 'initialize' || call.cancelled) return;
    call.cancelled = true;
    if (call.state !== 'forwarded') return;
    this.#ports.toUpstream(line);
    this.#table.abandon(call);
    call.settle({
      status: call.method === LISTEN ? 'succeeded' : 'unknown',
      value: { kind: 'cancelled' },
      note: 'cancelled by the client',
    });
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

  /** The upstream is gone: everything it has seen fails, everything it has not seen is not forwarded. */
  upstreamFailed(fault: Fault): void {
    this.#upstreamFault ??= fault;
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
      // INVARIANT: whatever went wrong is a denial, and the caller hears so once.
      outcome = {
        verdict: 'deny',
        executionId: '',
        denial: deny('internal.unexpected', 'governor failed'),
        receiptIndex: undefined,
      };
    }
    this.#table.takeLine(call);
    try {
      if (outcome === undefined) this.#table.close(call);
      else await this.#finish(call, outcome);
    } catch {
      this.#table.answer(call, encodeDenial(call.id, deny('internal.unexpected', 'governor failed')));
    }
  }

  async #decideAndForward(call: Call, methodClass: MethodClass): Promise<Outcome<CallEnd> | undefined> {
    const { method, params } = call;
    const meta = readCallMeta(params);
    let refusal = methodClass.denial ?? (isDenial(meta) ? meta : undefined);
    if (refusal === undefined && this.#rounds.isRepeat(params)) refusal = this.#rounds.check(method, params);
    let toolDigest: Digest | undefined;
    if (refusal === undefined && methodClass.toolName !== undefined) {
      const found = this.#definitions.lookUp(methodClass.toolName, eraOf(params));
      const state = typeof found === 'string' ? found : await found;
      if (state === 'unknown') refusal = deny('environment.unmeasured', 'the tool definitions are not known');
      else if (state === 'ambiguous') refusal = deny('environment.tool_changed', 'definition is ambiguous');
      else if (state !== 'unlisted') toolDigest = state;
    }
    if (call.cancelled) return undefined;
    const parent = isDenial(meta) ? undefined : meta.parent;
    const actions = methodClass.actions.map(
      (action) => (): Action => ({
        ...action,
        presentation: this.#present(action.tool, action.args, parent),
        ...(refusal === undefined ? {} : { refusal }),
        ...(toolDigest === undefined ? {} : { toolDigest }),
      }),
    );
    return runAll(this.#ports.governor, actions, (execution) =>
      refusal === undefined && methodClass.kind === 'governed'
        ? this.#forward(call, execution)
        : Promise.resolve(faultEffect(FAULTS.unsupportedMethod)),
    );
  }

  #present(tool: string, args: JsonObject, parent: string | undefined): Action['presentation'] {
    try {
      return this.#ports.presenter.present(tool, args, parent);
    } catch {
      return deny('internal.unexpected', 'the presenter failed');
    }
  }

  /** The effect: write exactly the bytes that were parsed, wait for the answer. */
  #forward(call: Call, execution: Execution): Promise<EffectResult<CallEnd>> {
    const { method, params } = call;
    const line = this.#table.takeLine(call);
    if (call.cancelled) return Promise.resolve(cancelledBeforehand());
    if (line === undefined || this.#upstreamFault !== undefined) {
      return Promise.resolve(faultEffect(FAULTS.notRunning));
    }
    if (execution.signal.aborted) {
      return Promise.resolve(stoppedEffect(execution.signal.reason, 'failed'));
    }
    if (this.#rounds.isRepeat(params) && !this.#rounds.consume(method, params)) {
      return Promise.resolve(faultEffect(FAULTS.repeated));
    }
    const timeoutMs = method === LISTEN ? 0 : this.#ports.limits.callTimeoutMs;
    const end = call.start(execution, timeoutMs, (interruption, reason) => {
      if (interruption === 'timeout') {
        this.#fail(call, FAULTS.silent);
        return;
      }
      this.#giveUp(call);
      call.settle(stoppedEffect(reason, 'unknown'));
    });
    this.#forwardedSinceGarbage = true;
    this.#ports.toUpstream(line);
    return end;
  }

  #answerGoverned(call: Call, response: ResponseMessage, line: Buffer): void {
    const { result, error } = response;
    const status = error !== undefined || result?.isError === true ? 'failed' : 'succeeded';
    if (asksForInput(call.method, response)) {
      const note = 'upstream asked for input';
      call.settle({ status, value: { kind: 'asks', response, line }, evidence: line, note });
      return;
    }
    if (!isComplete(result)) {
      call.settle({ ...faultEffect(FAULTS.unsupportedAnswer), evidence: line });
      return;
    }
    this.#table.answer(call, this.#withReceipt(call, response, line));
    call.settle({ status, value: { kind: 'delivered' }, evidence: line });
  }

  #answerUpkeep(call: Call, response: ResponseMessage, line: Buffer): void {
    const { id, method } = call;
    const { result, error } = response;
    call.state = 'settled';
    if (!isComplete(result) || error?.code === URL_ELICITATION_REQUIRED) {
      this.#table.answer(call, encodeFault(id, FAULTS.unsupportedAnswer));
      return;
    }
    if (result === undefined || !isListMethod(method)) {
      this.#table.answer(call, line);
      return;
    }
    const { server, presenter, pinnedDigest, digestOf } = this.#ports;
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

  /**
   * The upstream asks the client for input (2026-07-28 `input_required`; 2025-11-25 URL elicitation errors). Each
   * question is an action of its own, a child of the call; the client sees the answer only when all are permitted.
   */
  async #letQuestionsThrough(
    call: Call,
    response: ResponseMessage,
    line: Buffer,
    executionId: string,
  ): Promise<void> {
    const { server, governor } = this.#ports;
    const questions = readInputQuestions(server, response);
    if (isDenial(questions)) {
      this.#table.answer(call, encodeFault(call.id, FAULTS.unsupportedAnswer, executionId));
      return;
    }
    const withheld = await findWithheldQuestion(governor, questions.asked, ({ tool, args }) =>
      this.#present(tool, args, executionId),
    );
    if (withheld !== undefined) {
      const { denial, receipt } = withheld;
      this.#table.answer(
        call,
        denial === undefined
          ? encodeFault(call.id, FAULTS.unsupportedAnswer, receipt)
          : encodeDenial(call.id, denial, receipt),
      );
      return;
    }
    if (call.cancelled) {
      this.#table.close(call);
      return;
    }
    if (response.error === undefined) {
      const names = questions.asked.map(({ name }) => name);
      this.#rounds.open(call.method, call.params, response.result?.requestState, names);
    }
    this.#table.answer(call, this.#withReceipt(call, response, line));
  }

  #withReceipt(call: Call, response: ResponseMessage, line: Buffer): Buffer {
    const meta = readCallMeta(call.params);
    const wanted = !isDenial(meta) && meta.wantsReceipt && response.result !== undefined;
    return wanted && call.executionId !== undefined ? addReceipt(response, call.executionId) : line;
  }

  /** Ends a forwarded request whose answer will not be used any more. */
  #fail(call: Call, fault: Fault): void {
    if (this.#upstreamFault === undefined) this.#giveUp(call);
    if (call.governed) {
      call.settle(faultEffect(fault));
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

function asksForInput(method: string, { result, error }: ResponseMessage): boolean {
  if (error !== undefined) return error.code === URL_ELICITATION_REQUIRED;
  return result?.resultType === 'input_required' && INPUT_REQUIRING_METHODS.has(method);
}

/** Kinds of result not known here (tasks, say) would let a newer client and server talk past the gateway. */
function isComplete(result: JsonObject | undefined): boolean {
  const resultType = result?.resultType;
  return resultType === undefined || resultType === 'complete';
}
