import { upgradeWebSocket } from '@hono/node-server';
import { z } from '@hono/zod-openapi';
import { WebSocket } from 'ws';
import { deny, isDenial } from '../../denial/index.ts';
import { SUPERVISE_PROTOCOL } from '../../governor/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { relayStreams, type SupervisedPrograms } from '../supervision/index.ts';
import { type Api, addOperation } from './operation.ts';
import { problem } from './problem.ts';
import { answersOf } from './shapes.ts';

/** Close code (RFC 6455 §7.4.1). */
const TRY_AGAIN_LATER = 1013;

/** Programs that the daemon is configured to start, and so can vouch for (spec/session.md). */
export function addSuperviseOperations(api: Api, { supervised }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/supervised/{name}',
      operationId: 'superviseProgram',
      tags: ['Enforcement'],
      summary: 'Start a configured program under supervision',
      description: `A WebSocket (RFC 6455) with the subprotocol \`${SUPERVISE_PROTOCOL}\`, which is the program's standard streams (spec/session.md). The program ends with it. On the Unix socket alone.`,
      request: { params: z.object({ name: z.string() }) },
      responses: { 101: { description: 'Started.' }, ...answersOf(403, 404, 426) },
    },
    unbounded: true,
    handle(context) {
      const name = context.req.param('name') ?? '';
      if (context.req.header('origin') !== undefined) return problem(403, 'Browsers start nothing here.');
      if (!supervised.has(name)) return problem(404, 'No such program is configured.');
      const offered = context.req.header('sec-websocket-protocol')?.split(/\s*,\s*/) ?? [];
      const isWebSocket = context.req.header('upgrade')?.toLowerCase() === 'websocket';
      if (!isWebSocket || !offered.includes(SUPERVISE_PROTOCOL)) {
        const headers = { upgrade: 'websocket', connection: 'upgrade' };
        return problem(426, `This is a WebSocket of the subprotocol ${SUPERVISE_PROTOCOL}.`, {}, headers);
      }
      return upgradeWebSocket(context, {
        onOpen(_event, { raw }) {
          if (raw instanceof WebSocket) void startFor(raw, name, supervised);
        },
      });
    },
  });
}

async function startFor(socket: WebSocket, name: string, supervised: SupervisedPrograms): Promise<void> {
  socket.on('error', () => undefined);
  // What is said to its standard input waits until there is one.
  socket.pause();
  const started = await supervised
    .start(name)
    .catch(() => deny('internal.unexpected', 'the program was not started'));
  socket.resume();
  if (isDenial(started)) socket.close(TRY_AGAIN_LATER, started.detail);
  else if (socket.readyState === WebSocket.OPEN) relayStreams(socket, started);
  else started.end();
}
