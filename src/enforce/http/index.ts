export { contentDigestOf } from './content-digest.ts';
export {
  actionOfEvaluation,
  type Call,
  callOfEvaluation,
  type Evaluation,
  PRESENTATION_MEMBER,
  parseEvaluation,
} from './evaluation.ts';
export { denialAnswer, type EvaluationAnswer, permitAnswer } from './evaluation-answer.ts';
export {
  answerBatch,
  EVALUATION_SEMANTICS,
  type EvaluationBatch,
  MAX_EVALUATIONS,
  parseEvaluations,
} from './evaluation-batch.ts';
export {
  actionOfRequest,
  callOfRequest,
  type ForwardedRequest,
  PRESENTATION_HEADER,
  presentationHeader,
} from './forwarded-request.ts';
export { parseRequestTarget, type RequestTarget } from './request-target.ts';
