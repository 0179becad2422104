import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { type Denial, deny } from '../../denial/index.ts';

/** Items of one page. */
const MAX_PAGE = 1000;
const DEFAULT_PAGE = 50;

export const limit = z.coerce
  .number()
  .int()
  .min(1)
  .max(MAX_PAGE)
  .default(DEFAULT_PAGE)
  .openapi({ description: 'Items of the page.' });

/** Place in a log after which a page begins. */
export const after = z.coerce
  .number()
  .int()
  .min(0)
  .optional()
  .openapi({ description: '`next` of the page before.' });

/** The query parameters, as strictly as a body: one that is not known, or given twice, was meant to say something. */
export function readQuery<Shape>(context: Context, shape: z.ZodType<Shape>): Shape | Denial {
  const query: Record<string, string> = {};
  for (const [name, value] of new URL(context.req.url).searchParams) {
    if (Object.hasOwn(query, name)) return deny('request.malformed', 'a query parameter is given twice');
    query[name] = value;
  }
  const parsed = shape.safeParse(query);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const what =
    issue?.code === 'unrecognized_keys' ? 'there is no such query parameter' : 'is not as documented';
  return deny('request.malformed', `${issue?.path.join('.') || 'query'}: ${what}`);
}
