import { upgradeWebSocket } from '@hono/node-server';
import { z } from '@hono/zod-openapi';
import { WebSocket } from 'ws';
import { isLocalName, SESSION_PROTOCOL } from '../../governor/index.ts';
import { peerCertificatesOf } from '../access/peer-certificates.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { type Api, addOperation } from './operation.ts';
import { problem } from './problem.ts';
import { serveSession } from './session-channel.ts';
import { answersOf } from './shapes.ts';

export const OPEN_SESSION = 'openSession';

/** Enforcement points connect, and are connected for as long as their runtime stands (spec/session.md). */
export function addSessionOperations(api: Api, ports: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/enforcement-points/{name}/session',
      operationId: OPEN_SESSION,
      tags: ['Enforcement'],
      summary: 'Connect a runtime',
      description: `A WebSocket (RFC 6455) with the subprotocol \`${SESSION_PROTOCOL}\`, over which decisions are asked for and outcomes told (spec/session.md). When the connection ends, so does the session, and what was running in it is recorded as of unknown outcome.`,
      request: { params: z.object({ name: z.string() }) },
      responses: { 101: { description: 'Connected.' }, ...answersOf(400, 401, 403, 404, 426, 429) },
    },
    exposure: 'enforce',
    unbounded: true,
    async handle(context, _body, caller, stands) {
      const name = context.req.param('name') ?? '';
      if (!isLocalName(name)) return problem(404, 'There is no such enforcement point.');
      // A page in somebody's browser could connect with the client certificate that the browser holds.
      if (context.req.header('origin') !== undefined) return problem(403, 'Browsers do not connect here.');
      const offered = context.req.header('sec-websocket-protocol')?.split(/\s*,\s*/) ?? [];
      const isWebSocket = context.req.header('upgrade')?.toLowerCase() === 'websocket';
      if (!isWebSocket || !offered.includes(SESSION_PROTOCOL)) {
        const headers = { upgrade: 'websocket', connection: 'upgrade' };
        return problem(426, `This is a WebSocket of the subprotocol ${SESSION_PROTOCOL}.`, {}, headers);
      }
      return upgradeWebSocket(context, {
        onOpen(_event, { raw }) {
          if (!(raw instanceof WebSocket)) return;
          const admit = () => api.gate.admit(context, { name: OPEN_SESSION, exposure: 'enforce' });
          const peerCertificates = peerCertificatesOf(context.env.incoming);
          const supervisor = ports.supervised.processOf(context.env.incoming.socket);
          const runtime = { isHere: caller.role === 'owner', ...(supervisor && { supervisor }) };
          serveSession(raw, { ...ports, name, admit, stands, runtime, peerCertificates });
        },
      });
    },
  });
}
