import type { JsonObject } from '../../codec/index.ts';
import type { Denial } from '../../denial/index.ts';

/** One Access Evaluation Response (AuthZEN 1.0). */
export type EvaluationAnswer = { readonly decision: boolean; readonly context?: JsonObject };

/** Where the decision is recorded. */
export interface DecisionPlace {
  readonly executionId: string;
  /** Undefined where not even the denial could be recorded. */
  readonly receiptIndex: number | undefined;
}

export function permitAnswer(place: DecisionPlace): EvaluationAnswer {
  return { decision: true, context: { writ: placeMembers(place) } };
}

/** Code and fixed text, and nothing of why exactly: that is in the receipt. */
export function denialAnswer({ code, reason }: Denial, place?: DecisionPlace): EvaluationAnswer {
  return {
    decision: false,
    context: {
      id: code,
      reason_user: { en: reason.text },
      writ: { code, ...(place && placeMembers(place)) },
    },
  };
}

/** An evaluation of a batch that is no request at all, so that nothing was decided. */
export function errorAnswer({ code, reason }: Denial): EvaluationAnswer {
  return {
    decision: false,
    context: { id: code, error: { status: reason.http, message: reason.text }, writ: { code } },
  };
}

function placeMembers({ executionId, receiptIndex }: DecisionPlace): JsonObject {
  return { execution: executionId, ...(receiptIndex === undefined ? {} : { receipt: receiptIndex }) };
}
