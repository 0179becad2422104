import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type Evaluation, parseEvaluation } from './evaluation.ts';
import { type EvaluationAnswer, errorAnswer } from './evaluation-answer.ts';

export const EVALUATION_SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const;

export type EvaluationSemantic = (typeof EVALUATION_SEMANTICS)[number];

/** An Access Evaluations Request: what can be asked, and in its place why not. */
export interface EvaluationBatch {
  readonly semantic: EvaluationSemantic;
  readonly evaluations: readonly (Evaluation | Denial)[];
}

export const MAX_EVALUATIONS = 256;

/** Members whose top-level value is the default of every evaluation. */
const DEFAULTS = ['subject', 'action', 'resource', 'context'] as const;

/** What an entity may leave out where the default entity has it; else an entity replaces the default as a whole. */
const FILLED = { subject: ['type', 'id'], action: ['name'], resource: ['type', 'id'], context: [] } as const;

/** @returns a single evaluation where there is no `evaluations`, or an empty one: the standard wants it answered as one. */
export function parseEvaluations(json: JsonObject): EvaluationBatch | Evaluation | Denial {
  const { evaluations } = json;
  if (evaluations === undefined) return parseEvaluation(json);
  if (!isArray(evaluations)) return deny('request.malformed', 'evaluations is not an array');
  if (evaluations.length === 0) return parseEvaluation(json);
  if (evaluations.length > MAX_EVALUATIONS) {
    return deny('request.too_large', `more than ${MAX_EVALUATIONS} evaluations`);
  }
  const semantic = semanticOf(json.options);
  if (isDenial(semantic)) return semantic;
  for (const member of DEFAULTS) {
    if (json[member] !== undefined && !isJsonObject(json[member])) {
      return deny('request.malformed', `${member} is not an object`);
    }
  }
  return { semantic, evaluations: evaluations.map((item) => evaluationOf(item, json)) };
}

/**
 * Answers in the order asked. The two short-circuiting semantics ask one after the other and stop at the answer that
 * decides; what was not asked has no answer, and no receipt.
 */
export async function answerBatch(
  { semantic, evaluations }: EvaluationBatch,
  ask: (evaluation: Evaluation) => Promise<EvaluationAnswer>,
): Promise<EvaluationAnswer[]> {
  const answerTo = async (evaluation: Evaluation | Denial) =>
    isDenial(evaluation) ? errorAnswer(evaluation) : ask(evaluation);
  if (semantic === 'execute_all') return Promise.all(evaluations.map(answerTo));
  const last = semantic === 'permit_on_first_permit';
  const answers: EvaluationAnswer[] = [];
  for (const evaluation of evaluations) {
    const answer = await answerTo(evaluation);
    answers.push(answer);
    if (answer.decision === last) break;
  }
  return answers;
}

/** Other options are ignored; a semantic that is not known cannot be, for it might ask for less than all. */
function semanticOf(options: JsonValue | undefined): EvaluationSemantic | Denial {
  if (options === undefined) return 'execute_all';
  if (!isJsonObject(options)) return deny('request.malformed', 'options is not an object');
  const { evaluations_semantic: asked = 'execute_all' } = options;
  return (
    EVALUATION_SEMANTICS.find((known) => known === asked) ??
    deny('request.malformed', 'options.evaluations_semantic is none of the three')
  );
}

function evaluationOf(item: JsonValue, defaults: JsonObject): Evaluation | Denial {
  if (!isJsonObject(item)) return deny('request.malformed', 'an evaluation is not an object');
  const merged: Record<string, JsonValue> = {};
  for (const member of DEFAULTS) {
    const value = filled(item[member], defaults[member], FILLED[member]);
    if (value !== undefined) merged[member] = value;
  }
  return parseEvaluation(merged);
}

function filled(
  own: JsonValue | undefined,
  byDefault: JsonValue | undefined,
  names: readonly string[],
): JsonValue | undefined {
  if (own === undefined) return byDefault;
  if (!isJsonObject(own) || !isJsonObject(byDefault)) return own;
  const inherited = names.flatMap((name) => {
    const value = byDefault[name];
    return value === undefined || own[name] !== undefined ? [] : [[name, value] as const];
  });
  return inherited.length === 0 ? own : { ...Object.fromEntries(inherited), ...own };
}

function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
