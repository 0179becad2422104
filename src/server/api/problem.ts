import type { Denial } from '../../denial/index.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** Members of a problem document beside the standard ones. */
export interface ProblemMembers {
  /** Id of the decision's receipt, and its place in the execution log. */
  readonly execution?: string;
  readonly receipt?: number;
  /** Only for who administers this domain: it may repeat what a request said. */
  readonly detail?: string;
}

/** A problem document (RFC 9457). */
export type ProblemBody = Readonly<Record<string, string | number>> & {
  readonly type: string;
  readonly title: string;
  readonly status: number;
};

/** A denial as a problem document: its code, fixed text, and no detail unless it is given. */
export function denialBody(denial: Denial, members: ProblemMembers = {}): ProblemBody {
  const { http, text } = denial.reason;
  return problemBody(http, text, {
    code: denial.code,
    type: `urn:writ:reason:${denial.code}`,
    ...members,
  });
}

/** What is wrong with the use of the API itself, which no reason code speaks of. */
export function problemBody(
  status: number,
  title: string,
  members: Readonly<Record<string, string | number>> & { readonly type?: string } = {},
): ProblemBody {
  return { type: 'about:blank', title, status, ...members };
}

export function denialProblem(denial: Denial, members: ProblemMembers = {}): Response {
  return answerProblem(denialBody(denial, members));
}

/** Why governance did not take an event: it conflicts with what stands, or could not be recorded. */
export function conflictProblem(refused: Denial): Response {
  const { code, detail } = refused;
  return code === 'request.malformed'
    ? problem(409, 'It conflicts with what stands.', { code, detail })
    : denialProblem(refused, { detail });
}

export function problem(
  status: number,
  title: string,
  members: Parameters<typeof problemBody>[2] = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  return answerProblem(problemBody(status, title, members), headers);
}

function answerProblem(body: ProblemBody, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status: body.status,
    headers: { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...headers },
  });
}
