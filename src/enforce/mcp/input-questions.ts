import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';
import { findAlias } from './alias.ts';
import type { ResponseMessage } from './message.ts';
import { classifyServerRequest, type ProposedAction } from './method-class.ts';

/** One question the upstream wants the client to answer. */
export interface InputQuestion extends ProposedAction {
  /** Key under which the client answers. */
  readonly name: string;
  /** Anything but `governed` never reaches the client. */
  readonly kind: string;
}

const MAX_QUESTIONS = 64;
const MAX_NAME_CHARACTERS = 1024;
const REQUEST_MEMBERS = ['method', 'params'];
const ERROR_DATA_MEMBERS = ['elicitations'];

/**
 * The questions inside an answer: `inputRequests` of an `input_required` result (MCP 2026-07-28), or the
 * `elicitations` of a URL elicitation error (2025-11-25). Denies where it can't be told what is asked.
 */
export function readInputQuestions(
  server: string,
  { result, error }: ResponseMessage,
): { asked: readonly InputQuestion[] } | Denial {
  if (error !== undefined) return readElicitations(server, error);
  const { inputRequests = {}, requestState } = result ?? {};
  if (!isJsonObject(inputRequests)) return unreadable();
  if (requestState !== undefined && typeof requestState !== 'string') return unreadable();
  const requests = Object.entries(inputRequests);
  if (requests.length > MAX_QUESTIONS) return unreadable();
  const asked: InputQuestion[] = [];
  for (const [name, request] of requests) {
    if (name.length > MAX_NAME_CHARACTERS) return unreadable();
    if (!isJsonObject(request) || findAlias(request, REQUEST_MEMBERS)) return unreadable();
    const question = readQuestion(server, name, request);
    if (question === undefined) return unreadable();
    asked.push(question);
  }
  return { asked };
}

function readQuestion(server: string, name: string, request: JsonObject): InputQuestion | undefined {
  const { method, params = {} } = request;
  if (typeof method !== 'string' || !isJsonObject(params)) return undefined;
  const { kind, actions } = classifyServerRequest(server, method, params);
  const [action] = actions;
  return action === undefined ? undefined : { ...action, kind, name };
}

function readElicitations(server: string, error: JsonObject): { asked: readonly InputQuestion[] } | Denial {
  const data = error.data;
  if (!isJsonObject(data) || findAlias(data, ERROR_DATA_MEMBERS)) return unreadable();
  const { elicitations } = data;
  if (!Array.isArray(elicitations) || elicitations.length > MAX_QUESTIONS) return unreadable();
  const asked: InputQuestion[] = [];
  for (const [index, params] of elicitations.entries()) {
    if (!isJsonObject(params)) return unreadable();
    const question = readQuestion(server, String(index), { method: 'elicitation/create', params });
    if (question === undefined) return unreadable();
    asked.push(question);
  }
  return { asked };
}

function unreadable(): Denial {
  return deny('request.malformed', "the upstream's questions can't be read");
}
