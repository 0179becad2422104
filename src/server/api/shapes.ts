import { z } from '@hono/zod-openapi';
import { type Digest, isDigest } from '../../codec/index.ts';
import { isReasonCode, REASON_CODES, type ReasonCode } from '../../denial/index.ts';
import { PROBLEM_TYPE } from './problem.ts';

export const digest = z
  .custom<Digest>(isDigest, 'is no sha256 digest')
  .openapi({ type: 'string', pattern: '^sha256:[0-9a-f]{64}$' });

export const reasonCode = z
  .custom<ReasonCode>(isReasonCode, 'is no reason code')
  .openapi({ type: 'string', enum: [...REASON_CODES] });

export const problemDocument = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: reasonCode.optional(),
    detail: z.string().optional(),
    execution: z.string().optional(),
    receipt: z.int().optional(),
  })
  .openapi('Problem', { description: 'RFC 9457. `code` is one of the closed registry of reason codes.' });

const PROBLEM = { 'application/problem+json': { schema: problemDocument } };

const MEANINGS: Readonly<Record<number, string>> = {
  400: 'The request is not as documented.',
  401: 'Who asks is not known.',
  403: 'Denied; `code` says why.',
  404: 'There is no such thing.',
  409: 'It conflicts with what stands.',
  413: 'The request exceeds a size limit.',
  426: 'It is reached in another way; `Upgrade` says how.',
  422: 'The Idempotency-Key was used for another request.',
  429: 'Too many requests, or a use limit is exhausted.',
  503: 'It cannot be recorded or verified now.',
};

export function answersOf(
  ...statuses: readonly number[]
): Record<number, { description: string; content: typeof PROBLEM }> {
  return Object.fromEntries(
    statuses.map((status) => [status, { description: MEANINGS[status] ?? PROBLEM_TYPE, content: PROBLEM }]),
  );
}
