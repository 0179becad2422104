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

/** A denial as a problem document (RFC 9457): its code, fixed text, and no detail unless it is given. */
export function denialProblem(denial: Denial, members: ProblemMembers = {}): Response {
  const { http, text } = denial.reason;
  return problem(http, text, { code: denial.code, type: `urn:writ:reason:${denial.code}`, ...members });
}

/** What is wrong with the use of the API itself, which no reason code speaks of. */
export function problem(
  status: number,
  title: string,
  members: Readonly<Record<string, string | number>> & { readonly type?: string } = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = { type: 'about:blank', title, status, ...members };
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...headers },
  });
}
