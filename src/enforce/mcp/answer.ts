import type { JsonObject, JsonValue } from '../../codec/index.ts';
import type { Denial, ReasonCode } from '../../denial/index.ts';
import type { RequestId } from './message.ts';

/**
 * How a denied `tools/call` is answered.
 * - `error` (default): a JSON-RPC error. It can't be mistaken for something the tool said, carries `data.code` and
 *   `data.receipt` for programs, and is the same for every method.
 * - `tool-result`: denials a model can do something about (arguments, windows, budgets, policy, approvals) become tool
 *   execution errors (`isError`), which clients SHOULD show to the model while they only MAY show protocol errors
 *   (MCP 2025-11-25 and 2026-07-28, server/tools, Error Handling). Everything else stays a JSON-RPC error.
 */
export type DenialStyle = 'error' | 'tool-result';

/** `_meta` members of ours, in requests and results. */
export const META_PARENT = 'writ/parent';
export const META_RECEIPT = 'writ/receipt';
export const META_CODE = 'writ/code';
/** What presents a call, where the presenter is another process: it never reaches the server. */
export const META_PRESENTATION = 'writ/presentation';

const INTERNAL_ERROR = -32603;

const MODEL_CAN_ACT_ON = new Set<ReasonCode>([
  'scope.arguments_not_granted',
  'scope.outside_window',
  'scope.use_exhausted',
  'policy.forbidden',
  'policy.not_permitted',
  'approval.required',
  'approval.rejected',
  'approval.expired',
]);

/** Whether a denial is a request for approval: the call can be repeated once it is given. The receipt's id names it. */
export function isApprovalRequest({ code }: Denial): boolean {
  return code === 'approval.required' || code === 'approval.expired';
}

/** Something that went wrong with the upstream, as opposed to a denial. All text is fixed. */
export interface Fault {
  /** What the caller is told. */
  readonly message: string;
  /** What the outcome receipt says. */
  readonly note: string;
  /** Whether the call may have taken effect. */
  readonly effect: 'none' | 'unknown';
  /** JSON-RPC error code, where the fault is one that JSON-RPC names. */
  readonly code?: number;
}

export const FAULTS = {
  exited: {
    message: 'The MCP server exited before it answered; whether the call took effect is unknown.',
    note: 'upstream exited',
    effect: 'unknown',
  },
  killed: {
    message:
      'The MCP server was ended because it went on with a call that was stopped; whether this call took effect is unknown.',
    note: 'upstream was killed: it went on with a call that was stopped',
    effect: 'unknown',
  },
  notRunning: {
    message: 'The MCP server is not running; the call was not made.',
    note: 'upstream was not running',
    effect: 'none',
  },
  unreachable: {
    message: 'The MCP server cannot be reached, or broke off; whether the call took effect is unknown.',
    note: 'upstream could not be reached',
    effect: 'unknown',
  },
  silent: {
    message: 'The MCP server did not answer in time; whether the call took effect is unknown.',
    note: 'upstream did not answer',
    effect: 'unknown',
  },
  garbage: {
    message: 'The MCP server sent something that is not a message; whether the call took effect is unknown.',
    note: 'upstream sent garbage',
    effect: 'unknown',
  },
  oversized: {
    message: 'The MCP server sent a message over the size limit; whether the call took effect is unknown.',
    note: 'upstream sent an oversized message',
    effect: 'unknown',
  },
  unsupportedAnswer: {
    message: 'The MCP server answered in a way that is not let through; the call may have taken effect.',
    note: 'upstream answered with an unsupported result',
    effect: 'unknown',
  },
  repeated: {
    message: 'The call repeats one that has been repeated already; it was not made.',
    note: 'input responses had been used already',
    effect: 'none',
  },
  garbledAnswer: {
    message: 'The answer could not be read and was not let through.',
    note: 'the answer could not be read',
    effect: 'unknown',
  },
  unsupportedMethod: {
    message: 'The method is not supported here.',
    note: 'method is never forwarded',
    effect: 'none',
    code: -32601,
  },
  closing: {
    message: 'The session ended before the call was answered; whether it took effect is unknown.',
    note: 'session ended',
    effect: 'unknown',
  },
} as const satisfies Record<string, Fault>;

export function encodeMessage(message: JsonObject): Buffer {
  return Buffer.from(`${JSON.stringify(message)}\n`);
}

export function encodeRequest(id: RequestId, method: string, params: JsonObject): Buffer {
  return encodeMessage({ jsonrpc: '2.0', id, method, params });
}

export function encodeNotification(method: string, params: JsonObject): Buffer {
  return encodeMessage({ jsonrpc: '2.0', method, params });
}

function encodeError(id: RequestId | null, code: number, message: string, data: JsonObject): Buffer {
  return encodeMessage({ jsonrpc: '2.0', id, error: { code, message, data } });
}

/** A denial as a JSON-RPC error: fixed text, code and receipt; the detail stays in the receipt. */
export function encodeDenial(id: RequestId | null, denial: Denial, receipt?: string): Buffer {
  const { jsonrpc, text } = denial.reason;
  return encodeError(id, jsonrpc, text, {
    code: denial.code,
    ...(receipt ? { receipt } : {}),
    ...(receipt && isApprovalRequest(denial) ? { request: receipt } : {}),
  });
}

/** A denied request whose method is never forwarded, granted or not. */
export function encodeUnsupported(id: RequestId, denial: Denial, receipt: string | undefined): Buffer {
  const { message, code } = FAULTS.unsupportedMethod;
  return encodeError(id, code, message, { code: denial.code, ...(receipt ? { receipt } : {}) });
}

/** A line that was refused before it was a request: parse errors have their own JSON-RPC code. */
export function encodeParseError(id: RequestId | null, denial: Denial): Buffer {
  return encodeError(id, -32700, denial.reason.text, { code: denial.code });
}

/** A denied `tools/call` in the style asked for. */
export function encodeCallDenial(
  id: RequestId,
  denial: Denial,
  receipt: string | undefined,
  style: DenialStyle,
  modern: boolean,
): Buffer {
  if (style === 'error' || !MODEL_CAN_ACT_ON.has(denial.code)) return encodeDenial(id, denial, receipt);
  const text = `Denied by Writ: ${denial.reason.text} (${denial.code}${receipt ? `, receipt ${receipt}` : ''})`;
  const result: Record<string, JsonValue> = {
    ...(modern ? { resultType: 'complete' } : {}),
    content: [{ type: 'text', text }],
    isError: true,
    _meta: { [META_CODE]: denial.code, ...(receipt ? { [META_RECEIPT]: receipt } : {}) },
  };
  return encodeMessage({ jsonrpc: '2.0', id, result });
}

export function encodeFault(id: RequestId, fault: Fault, receipt?: string): Buffer {
  return encodeError(id, fault.code ?? INTERNAL_ERROR, fault.message, {
    effect: fault.effect,
    ...(receipt ? { receipt } : {}),
  });
}

/** A permitted call that was stopped because its authority ended. */
export function encodeStopped(id: RequestId, denial: Denial, receipt: string): Buffer {
  const { jsonrpc, text } = denial.reason;
  return encodeError(id, jsonrpc, text, { code: denial.code, receipt, effect: 'unknown' });
}
