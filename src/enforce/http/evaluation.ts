import { z } from 'zod';
import { type Presentation, parsePresentation } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny } from '../../denial/index.ts';

const jsonObject = z.custom<JsonObject>(isJsonObject, 'is no object');

/** A subject or a resource. */
const entity = z.object({ type: z.string().min(1), id: z.string(), properties: jsonObject.optional() });

/** One Access Evaluation Request (AuthZEN 1.0). Members it does not know are ignored, as the standard wants. */
const evaluationShape = z.object({
  subject: entity,
  action: z.object({ name: z.string().min(1), properties: jsonObject.optional() }),
  resource: entity,
  context: jsonObject.optional(),
});

export type Evaluation = z.infer<typeof evaluationShape>;

/** What a proof of possession is made for: `tool` and `args` of `createProof`. */
export interface Call {
  readonly tool: string;
  readonly args: JsonObject;
}

/** Member of `context` in which the holder's presentation travels. It is no part of the arguments. */
export const PRESENTATION_MEMBER = 'writ_presentation';

/** @returns `request.malformed`, whose detail names the member and repeats nothing of the request. */
export function parseEvaluation(json: JsonValue): Evaluation | Denial {
  const parsed = evaluationShape.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return deny('request.malformed', `${issue?.path.join('.') || 'request'} is missing or of another type`);
}

/**
 * The call that an evaluation asks about (spec/authzen.md). Presenters sign a proof for it; every member that has a
 * meaning is in it, so that a presentation serves for no other request. All arguments are always there, since an artifact
 * that constrains one argument names them all: what was left out is empty.
 */
export function callOfEvaluation({ subject, action, resource, context }: Evaluation): Call {
  return {
    // encodeURIComponent maps no two texts to one, and leaves no "/": no other type and name make this id.
    tool: `authzen://${encodeURIComponent(resource.type)}/${encodeURIComponent(action.name)}`,
    args: {
      subject_type: subject.type,
      subject_id: subject.id,
      subject_properties: subject.properties ?? {},
      action_properties: action.properties ?? {},
      resource_id: resource.id,
      resource_properties: resource.properties ?? {},
      context: withoutPresentation(context ?? {}),
    },
  };
}

export function actionOfEvaluation(evaluation: Evaluation): Action {
  return { ...callOfEvaluation(evaluation), presentation: presentationOf(evaluation.context) };
}

function presentationOf(context: JsonObject | undefined): Presentation | Denial | undefined {
  const presented = context?.[PRESENTATION_MEMBER];
  return presented === undefined ? undefined : parsePresentation(presented);
}

function withoutPresentation(context: JsonObject): JsonObject {
  const { [PRESENTATION_MEMBER]: _, ...told } = context;
  return told;
}
