import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import type { Denial } from '../../denial/index.ts';
import { approvalUrl } from '../../governor/index.ts';
import { encodeMessage, encodeRequest, META_CODE, META_RECEIPT } from './answer.ts';
import { clientCapabilitiesOf, eraOf } from './era.ts';
import type { RequestId } from './message.ts';
import { INPUT_REQUIRING_METHODS } from './method-class.ts';

/** Key of the one input that is asked for. */
export const APPROVAL_INPUT = 'writ-approval';

const MESSAGE = 'This call needs an approval. It can be repeated once it has been given.';

type Asked = { readonly id: RequestId; readonly method: string; readonly params: JsonObject };

/**
 * Whether a call can be answered with a question where to have it approved: the client is of the era of multi round-trip
 * requests (MCP 2026-07-28, basic/patterns/mrtr), can show a URL, and is not answering a question of the upstream, whose state
 * would be lost.
 */
export function canAskForApproval({ method, params }: Asked): boolean {
  if (eraOf(params).kind !== 'modern' || !INPUT_REQUIRING_METHODS.has(method)) return false;
  const { requestState } = params;
  const isOurs = typeof requestState === 'string' && requestState.startsWith(`${APPROVAL_INPUT}:`);
  if (!isOurs && ('inputResponses' in params || 'requestState' in params)) return false;
  const { elicitation } = clientCapabilitiesOf(params);
  return isJsonObject(elicitation) && isJsonObject(elicitation.url);
}

/** What the repeated call must say it continues. It says nothing that the client does not know. */
export function approvalState(request: string): string {
  return `${APPROVAL_INPUT}:${request}`;
}

/** The answer of a call that waits for approval. */
export function encodeApprovalQuestion(
  { id }: Asked,
  denial: Denial,
  request: string,
  consoleUrl: string,
): Buffer {
  const params = {
    mode: 'url',
    message: MESSAGE,
    url: approvalUrl(consoleUrl, request),
    elicitationId: request,
  };
  return encodeMessage({
    jsonrpc: '2.0',
    id,
    result: {
      resultType: 'input_required',
      inputRequests: { [APPROVAL_INPUT]: { method: 'elicitation/create', params } },
      requestState: approvalState(request),
      _meta: { [META_CODE]: denial.code, [META_RECEIPT]: request },
    },
  });
}

/**
 * A call that repeats one after such a question, as the upstream is to see it: without the answer, which was to us. Written
 * anew from what was parsed and checked: every number in it is one that reads back as written.
 */
export function withoutApprovalInput({ id, method, params }: Asked): Buffer {
  const { inputResponses: _responses, requestState: _state, ...rest } = params;
  return encodeRequest(id, method, rest);
}
