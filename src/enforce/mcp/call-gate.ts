import type { JsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { encodeDenial, encodeFault, FAULTS, isApprovalRequest } from './answer.ts';
import {
  APPROVAL_INPUT,
  approvalState,
  canAskForApproval,
  encodeApprovalQuestion,
  withoutApprovalInput,
} from './approval-question.ts';
import { readCallerTrace, readCallMeta } from './call-meta.ts';
import { eraOf } from './era.ts';
import type { InFlight } from './in-flight.ts';
import { readInputQuestions } from './input-questions.ts';
import { InputRounds } from './input-rounds.ts';
import type { ResponseMessage } from './message.ts';
import { answerAction, INPUT_REQUIRING_METHODS, type MethodClass } from './method-class.ts';
import type { Action } from './ports.ts';
import { present } from './presenter.ts';
import { findWithheldQuestion } from './question-gate.ts';
import { presenterFor, type SessionPorts } from './session-ports.ts';
import type { DefinitionState, ToolDefinitions } from './tool-definitions.ts';

type Call = Pick<InFlight<unknown>, 'id' | 'method' | 'params' | 'cancelled'>;

/** What must be permitted for a call to pass, and whether it passes then. */
export interface CallActions {
  readonly actions: readonly (() => Action)[];
  readonly passes: boolean;
}

/** What the gateway itself knows of a call. */
type Found = Pick<Action, 'refusal' | 'toolDigest'>;

const URL_ELICITATION_REQUIRED = -32042;

/** What a client's call must have permitted: itself, and the questions that an answer to it asks. */
export class CallGate {
  readonly #ports: SessionPorts;
  readonly #definitions: ToolDefinitions;
  readonly #rounds = new InputRounds();
  /** Repeats of calls that this gateway did not see ask, and whose answers are granted as an action of their own. */
  readonly #unasked = new WeakSet<Call>();

  constructor(ports: SessionPorts, definitions: ToolDefinitions) {
    this.#ports = ports;
    this.#definitions = definitions;
  }

  /** The actions of a call, with what the gateway itself finds wrong with it; at once where the tool is known. */
  actionsOf(call: Call, methodClass: MethodClass): CallActions | Promise<CallActions> {
    const { method, params } = call;
    const { toolName, denial } = methodClass;
    const meta = readCallMeta(params);
    const unanswerable = this.#rounds.isRepeat(params) ? this.#rounds.check(method, params) : undefined;
    if (denial === undefined && unanswerable !== undefined && !this.#unasked.has(call)) {
      const answering = answerAction(this.#ports.server, params);
      if (answering !== undefined && presenterFor(this.#ports, call.id).grants(answering.tool)) {
        this.#unasked.add(call);
        return this.actionsOf(call, { ...methodClass, actions: [...methodClass.actions, answering] });
      }
    }
    const refusal =
      denial ?? (isDenial(meta) ? meta : undefined) ?? (this.#unasked.has(call) ? undefined : unanswerable);
    const parent = isDenial(meta) ? undefined : meta.parent;
    if (refusal !== undefined || toolName === undefined) {
      return this.#propose(call, methodClass, parent, refusal === undefined ? {} : { refusal });
    }
    const state = this.#definitions.lookUp(toolName, eraOf(params));
    return typeof state === 'string'
      ? this.#propose(call, methodClass, parent, definitionOf(state))
      : state.then((known) => this.#propose(call, methodClass, parent, definitionOf(known)));
  }

  #propose({ id }: Call, methodClass: MethodClass, parent: string | undefined, found: Found): CallActions {
    const presenter = presenterFor(this.#ports, id);
    const actions = methodClass.actions.map(
      (action) => (): Action => ({
        ...action,
        presentation: present(presenter, action.tool, action.args, parent),
        // What the gateway itself says something is stands before what the upstream says.
        ...found,
        ...(action.toolDigest === undefined ? {} : { toolDigest: action.toolDigest }),
      }),
    );
    return { actions, passes: found.refusal === undefined && methodClass.kind === 'governed' };
  }

  /**
   * To be asked right before a call is forwarded.
   *
   * @returns what to forward; undefined where it repeats one that was repeated already.
   */
  takeRound(call: Call, line: Buffer): Buffer | undefined {
    if (this.#unasked.has(call) || !this.#rounds.isRepeat(call.params)) return line;
    const asker = this.#rounds.consume(call.method, call.params);
    return asker === 'gateway' ? withoutApprovalInput(call) : asker && line;
  }

  /** The answer of a call that waits for approval, where its client can be asked to have it approved. */
  askForApproval(call: Call, denial: Denial, request: string | undefined): Buffer | undefined {
    const { consoleUrl } = this.#ports;
    if (consoleUrl === undefined || request === undefined) return undefined;
    if (!isApprovalRequest(denial) || !canAskForApproval(call)) return undefined;
    if (!call.cancelled) {
      this.#rounds.open(call.method, call.params, approvalState(request), [APPROVAL_INPUT], 'gateway');
    }
    return encodeApprovalQuestion(call, denial, request, consoleUrl);
  }

  /**
   * The upstream asks the client for input (2026-07-28 `input_required`; 2025-11-25 URL elicitation errors). Each
   * question is an action of its own, a child of the call; the client sees the answer only when all are permitted.
   *
   * @returns what to answer the call with instead; undefined where the questions may pass.
   */
  async withhold(call: Call, response: ResponseMessage, executionId: string): Promise<Buffer | undefined> {
    const { server, governor, presenter } = this.#ports;
    const questions = readInputQuestions(server, response);
    if (isDenial(questions)) return encodeFault(call.id, FAULTS.unsupportedAnswer, executionId);
    const withheld = await findWithheldQuestion(
      governor,
      questions.asked,
      ({ tool, args }) => present(presenter, tool, args, executionId),
      readCallerTrace(call.params),
    );
    if (withheld !== undefined) {
      const { denial, receipt } = withheld;
      return denial === undefined
        ? encodeFault(call.id, FAULTS.unsupportedAnswer, receipt)
        : encodeDenial(call.id, denial, receipt);
    }
    if (!call.cancelled && response.error === undefined) {
      const names = questions.asked.map(({ name }) => name);
      this.#rounds.open(call.method, call.params, response.result?.requestState, names);
    }
    return undefined;
  }
}

function definitionOf(state: DefinitionState): Found {
  switch (state) {
    case 'unknown':
      return { refusal: deny('environment.unmeasured', 'the tool definitions are not known') };
    case 'ambiguous':
      return { refusal: deny('environment.tool_changed', 'definition is ambiguous') };
    case 'unlisted':
      return {};
    default:
      return { toolDigest: state };
  }
}

/** Whether an answer to a governed call asks for input. */
export function asksForInput(method: string, { result, error }: ResponseMessage): boolean {
  if (error !== undefined) return error.code === URL_ELICITATION_REQUIRED;
  return result?.resultType === 'input_required' && INPUT_REQUIRING_METHODS.has(method);
}

/** Whether an answer to something that is not governed would ask for input all the same, or is of an unknown kind. */
export function isSupportedAnswer({ result, error }: ResponseMessage): boolean {
  return isComplete(result) && error?.code !== URL_ELICITATION_REQUIRED;
}

/** Kinds of result not known here (tasks, say) would let a newer client and server talk past the gateway. */
export function isComplete(result: JsonObject | undefined): boolean {
  const resultType = result?.resultType;
  return resultType === undefined || resultType === 'complete';
}
