import { createHmac, randomBytes } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/codec/index.ts';

/** Tools and prompts of the newer era that ask before they answer (2026-07-28, Multi Round-Trip Requests). */

const KEY = randomBytes(32);

export class InvalidParams extends Error {}

export function elicitation(message: string, properties: JsonObject): JsonObject {
  const requestedSchema = { type: 'object', properties, required: Object.keys(properties) };
  return { method: 'elicitation/create', params: { mode: 'form', message, requestedSchema } };
}

function sampling(question: string): JsonObject {
  const messages = [{ role: 'user', content: { type: 'text', text: question } }];
  return { method: 'sampling/createMessage', params: { messages, maxTokens: 100 } };
}

const roots: JsonObject = { method: 'roots/list', params: {} };
const string = { type: 'string' };

/** What each asks for, round by round. */
const ROUNDS: Readonly<Record<string, readonly JsonObject[]>> = {
  test_input_required_result_elicitation: [
    { user_name: elicitation('What is your name?', { name: string }) },
  ],
  test_input_required_result_sampling: [{ capital_question: sampling('What is the capital of France?') }],
  test_input_required_result_list_roots: [{ client_roots: roots }],
  test_input_required_result_request_state: [
    { confirm: elicitation('Please confirm', { ok: { type: 'boolean' } }) },
  ],
  test_input_required_result_tampered_state: [
    { confirm: elicitation('Please confirm', { ok: { type: 'boolean' } }) },
  ],
  test_input_required_result_multiple_inputs: [
    {
      user_name: elicitation('What is your name?', { name: string }),
      greeting: sampling('Generate a greeting'),
      client_roots: roots,
    },
  ],
  test_input_required_result_multi_round: [
    { step1: elicitation('Step 1: What is your name?', { name: string }) },
    { step2: elicitation('Step 2: What is your favorite color?', { color: string }) },
  ],
  test_input_required_result_prompt: [
    { user_context: elicitation('What context should the prompt use?', { context: string }) },
  ],
};

const WITH_STATE = /(request_state|tampered_state|multiple_inputs|multi_round)$/;

export function asksFirst(name: string): boolean {
  return Object.hasOwn(ROUNDS, name);
}

/** The next questions; undefined when everything is answered. Throws {@link InvalidParams}. */
export function nextQuestions(name: string, params: JsonObject): JsonObject | undefined {
  const { inputResponses, requestState } = params;
  if (inputResponses !== undefined && !isJsonObject(inputResponses))
    throw new InvalidParams('inputResponses');
  const rounds = ROUNDS[name] ?? [];
  const round = roundOf(name, requestState);
  const asked = rounds[round] ?? {};
  const isAnswered = Object.keys(asked).every((key) => isAnswer(inputResponses?.[key]));
  if (inputResponses !== undefined && isAnswered) {
    const following = rounds[round + 1];
    return following === undefined ? undefined : questions(name, following, round + 1);
  }
  return questions(name, asked, round);
}

function isAnswer(value: JsonValue | undefined): boolean {
  if (value === undefined) return false;
  if (!isJsonObject(value)) throw new InvalidParams('an input response is not an object');
  return true;
}

function questions(name: string, inputRequests: JsonObject, round: number): JsonObject {
  const state = WITH_STATE.test(name) ? { requestState: sealState(name, round) } : {};
  return { resultType: 'input_required', inputRequests, ...state };
}

function sealState(name: string, round: number): string {
  return `${round}.${createHmac('sha256', KEY).update(`${name} ${round}`).digest('base64url')}`;
}

function roundOf(name: string, state: JsonValue | undefined): number {
  if (state === undefined) return 0;
  const round = Number(String(state).split('.')[0]);
  if (state !== sealState(name, round)) throw new InvalidParams('requestState was tampered with');
  return round;
}

/** Only what the client says it can be asked. */
export function capabilityQuestions(capabilities: JsonObject): JsonObject {
  const inputRequests = {
    ...('sampling' in capabilities ? { sample: sampling('Say something') } : {}),
    ...('elicitation' in capabilities ? { ask: elicitation('Say something', { answer: string }) } : {}),
  };
  return { resultType: 'input_required', inputRequests };
}
