import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { z } from 'zod';
import { type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { deny, isDenial } from '../../denial/index.ts';
import { denialProblem } from './problem.ts';
import { readBody } from './read-body.ts';

export type Api = OpenAPIHono;

/** One operation of the API: what OpenAPI says of it, and what it does. */
export interface Operation<Body = undefined> {
  readonly route: RouteConfig;
  /** Shape of the JSON body; an operation without one reads none. */
  readonly body?: z.ZodType<Body>;
  readonly maxBodyBytes?: number;
  readonly handle: (context: Context, body: Body) => Response | Promise<Response>;
}

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;

/**
 * Adds an operation. INVARIANT: a body is parsed as strictly as everything that is signed or decided on (duplicate members,
 * inexact numbers, lone surrogates are refused), and by nobody else before.
 */
export function addOperation<Body>(api: Api, operation: Operation<Body>): void {
  const { route, body, maxBodyBytes = DEFAULT_MAX_BODY_BYTES, handle } = operation;
  api.openAPIRegistry.registerPath(route);
  api.on(route.method.toUpperCase(), route.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (context) => {
    if (body === undefined) return handle(context, undefined as Body);
    const json = await readJson(context, maxBodyBytes);
    if (isDenial(json)) return denialProblem(json, { detail: json.detail });
    const parsed = body.safeParse(json);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const detail = `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'not as documented'}`;
      return denialProblem(deny('request.malformed', detail), { detail: detail.slice(0, 300) });
    }
    return handle(context, parsed.data);
  });
}

async function readJson(context: Context, maxBytes: number): Promise<JsonObject | ReturnType<typeof deny>> {
  const type = context.req.header('content-type') ?? '';
  if (!/^application\/json(?:;|$)/i.test(type)) {
    return deny('request.malformed', 'the body must be application/json');
  }
  const bytes = await readBody(context.req.raw, maxBytes);
  return isDenial(bytes) ? bytes : parseJsonObject(bytes, 'request.malformed', { maxBytes });
}
