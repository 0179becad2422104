import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { z } from 'zod';
import { canonicalize, digestOf, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { NamedOperation } from '../access/administrative-policy.ts';
import type { Caller } from '../access/caller.ts';
import type { Exposure, Gate } from '../access/gate.ts';
import { Idempotency } from './idempotency.ts';
import { denialProblem, problem } from './problem.ts';
import { readBody } from './read-body.ts';

/** The operations of one listener, behind what stands before all of them. */
export class Api extends OpenAPIHono {
  readonly gate: Gate;
  readonly idempotency = new Idempotency();
  /** What administrative policies can speak of. */
  readonly operations: NamedOperation[] = [];
  readonly #paths: { readonly method: string; readonly pattern: RegExp }[] = [];

  constructor(gate: Gate) {
    super();
    this.gate = gate;
    // INVARIANT: what was added in another way than as an operation, and so past the gate, is not there over TCP.
    this.use('*', async (context, next) => {
      if (gate.requestTimeoutMs === undefined) return next();
      const { method, path } = context.req;
      const isOperation = this.#paths.some((one) => one.method === method && one.pattern.test(path));
      return isOperation ? next() : problem(404, 'There is nothing here.');
    });
  }

  expose(method: string, path: string, takesRest: boolean): void {
    const escaped = path.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&');
    const rest = takesRest ? escaped.replace(/\{\w+\}$/, '.+') : escaped;
    const pattern = rest.replaceAll(/\{\w+\}/g, '[^/]+');
    this.#paths.push({ method, pattern: new RegExp(`^${pattern}$`) });
  }
}

/** One operation of the API: what OpenAPI says of it, and what it does. */
export interface Operation<Body = undefined> {
  readonly route: RouteConfig;
  /** How far it reaches; it exists on the Unix socket alone where this is left out. Needs an `operationId`. */
  readonly exposure?: Exposure;
  /** Shape of the JSON body; an operation without one reads none. */
  readonly body?: z.ZodType<Body>;
  readonly maxBodyBytes?: number;
  /** Answers with a stream, or takes as long as it takes: the time of an answer is not bounded. */
  readonly unbounded?: boolean;
  /** The path's last parameter takes all that is left of the path, slashes included. */
  readonly takesRest?: boolean;
  /** Takes `Idempotency-Key`: the same request again is answered as it was, and not done again. */
  readonly idempotent?: boolean;
  /** @param stands whether the caller still may: what goes on for long asks again, and ends where it may not. */
  readonly handle: (
    context: Context,
    body: Body,
    caller: Caller,
    stands: () => boolean,
  ) => Response | Promise<Response>;
}

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;

/**
 * Adds an operation. INVARIANT: nothing of a request is read before the gate has let it in; a body is parsed as strictly as
 * everything that is signed or decided on (duplicate members, inexact numbers, lone surrogates are refused), and by nobody
 * else before.
 */
export function addOperation<Body>(api: Api, operation: Operation<Body>): void {
  const { route, exposure, body } = operation;
  const name = route.operationId ?? '';
  if (name === '' && exposure !== undefined) throw new TypeError(`${route.path} is exposed without a name`);
  api.openAPIRegistry.registerPath({ ...route, 'x-writ-exposure': exposure ?? 'socket' });
  if (exposure !== undefined && exposure !== 'public') api.operations.push({ name, group: exposure });
  const gated = { name, exposure };
  if (!api.gate.exposes(gated)) return;
  const method = route.method.toUpperCase();
  const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
  api.expose(method, route.path, operation.takesRest === true);
  api.on(method, operation.takesRest === true ? `${path}{.+}` : path, async (context) => {
    const caller = api.gate.admit(context, gated);
    if (caller instanceof Response) return caller;
    if (body === undefined) return answerInTime(api, operation, context, undefined as Body, caller);
    const maxBytes = Math.min(operation.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES, api.gate.maxBodyBytes);
    const json = await readJson(context, maxBytes);
    if (isDenial(json)) return denialProblem(json, { detail: json.detail });
    const parsed = body.safeParse(json);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const detail = `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'not as documented'}`;
      return denialProblem(deny('request.malformed', detail), { detail: detail.slice(0, 300) });
    }
    const answer = () => answerInTime(api, operation, context, parsed.data, caller);
    const key = context.req.header('idempotency-key');
    if (operation.idempotent !== true || key === undefined) return answer();
    const about = `${method} ${context.req.path}`;
    return api.idempotency.run(
      { caller: caller.id, key, about, digest: digestOf(canonicalize(json)) },
      answer,
    );
  });
}

async function answerInTime<Body>(
  { gate }: Api,
  { handle, unbounded = false, route, exposure }: Operation<Body>,
  context: Context,
  body: Body,
  caller: Caller,
): Promise<Response> {
  const { requestTimeoutMs } = gate;
  const gated = { name: route.operationId ?? '', exposure };
  const stands = () => gate.stillAdmits(context, gated, caller);
  if (unbounded || requestTimeoutMs === undefined) return handle(context, body, caller, stands);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Response>((resolve) => {
    timer = setTimeout(
      () => resolve(problem(503, 'It took too long; whether it was done is not known.')),
      requestTimeoutMs,
    );
  });
  try {
    return await Promise.race([Promise.resolve(handle(context, body, caller, stands)), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readJson(context: Context, maxBytes: number): Promise<JsonObject | Denial> {
  const type = context.req.header('content-type') ?? '';
  if (!/^application\/json(?:;|$)/i.test(type)) {
    return deny('request.malformed', 'the body must be application/json');
  }
  const bytes = await readBody(context.req.raw, maxBytes);
  return isDenial(bytes) ? bytes : parseJsonObject(bytes, 'request.malformed', { maxBytes });
}
