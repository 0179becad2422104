import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { type Denial, isDenial } from '../../denial/index.ts';
import { actionOfRequest, type ForwardedRequest, PRESENTATION_HEADER } from '../../enforce/http/index.ts';
import { isLocalName } from '../../governor/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { callerTraceOf } from './caller-trace.ts';
import { type Api, addOperation } from './operation.ts';
import { problem } from './problem.ts';
import { answersOf } from './shapes.ts';

/**
 * INVARIANT: which headers say what the client asked is fixed by the path, which the proxy's configuration names: what
 * one proxy sets, another one passes on from whoever sent it.
 */
const FAMILIES: ReadonlyMap<string, string> = new Map([
  ['nginx', 'x-original'],
  ['caddy', 'x-forwarded'],
]);

/** Reverse proxies ask before they pass a request on (nginx `auth_request`, Caddy `forward_auth`). */
export function addForwardAuth(api: Api, { held, metrics, clock }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/forward-auth/{proxy}/{point}',
      operationId: 'forwardAuth',
      tags: ['Forward-auth'],
      summary: 'May the proxy pass this request on?',
      description:
        '2xx allows it, once; 401 and 403 deny it, and `Writ-Reason` says why. `Writ-Execution` names the decision.',
      request: { params: z.object({ proxy: z.enum(['nginx', 'caddy']), point: z.string() }) },
      responses: { 200: { description: 'Permitted, and recorded.' }, ...answersOf(401, 403, 404) },
    },
    exposure: 'enforce',
    async handle(context) {
      const family = FAMILIES.get(context.req.param('proxy') ?? '');
      const point = context.req.param('point') ?? '';
      if (family === undefined || !isLocalName(point))
        return problem(404, 'There is no such enforcement point.');
      const startedMs = clock.monotonicMs();
      const opened = await held.open(point);
      if (isDenial(opened)) return denied(opened);
      const request = forwardedBy(family, point, context);
      const action = actionOfRequest(request, context.req.header(PRESENTATION_HEADER));
      const asked = await opened.ask(action, { caller: callerTraceOf(context) });
      if (isDenial(asked)) return denied(asked);
      metrics.decided(asked.verdict === 'deny' ? asked.denial : undefined, clock.monotonicMs() - startedMs);
      return asked.verdict === 'deny'
        ? denied(asked.denial, asked.executionId)
        : new Response(null, { status: 200, headers: headersOf(asked.executionId) });
    },
  });
}

/** What the proxy says; a header that is missing is empty, which no request may be. */
function forwardedBy(family: string, point: string, context: Context): ForwardedRequest {
  const of = (name: string) => context.req.header(`${family}-${name}`) ?? '';
  return {
    point,
    method: of('method'),
    target: of('uri'),
    host: of('host'),
    contentDigest: context.req.header('content-digest'),
  };
}

/** nginx knows 401 and 403 alone: every other status of ours is a fault to it, and its client would not see the code. */
function denied({ code, reason }: Denial, executionId?: string): Response {
  const isUnknown = reason.http === 401;
  return new Response(`${reason.text}\n`, {
    status: isUnknown ? 401 : 403,
    headers: {
      ...headersOf(executionId),
      'content-type': 'text/plain; charset=utf-8',
      'writ-reason': code,
      ...(isUnknown ? { 'www-authenticate': 'Writ' } : {}),
    },
  });
}

function headersOf(executionId: string | undefined): Record<string, string> {
  return {
    'cache-control': 'no-store',
    ...(executionId === undefined ? {} : { 'writ-execution': executionId }),
  };
}
