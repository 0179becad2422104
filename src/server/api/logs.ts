import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { isDenial } from '../../denial/index.ts';
import { formatTilePath, parseTilePath } from '../../tlog/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { enrolledLogs } from '../known-logs.ts';
import { answerBytes, answerJson, IMMUTABLE, REVALIDATED } from './answer.ts';
import { type Api, addOperation } from './operation.ts';
import { problem } from './problem.ts';
import { answersOf } from './shapes.ts';

const TILE = { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } };
const NOTE = { 'text/plain': { schema: z.string() } };

/** The logs as C2SP tlog-tiles has them: any client of it reads them below `/v1/logs/governance` or `…/execution/<log>`. */
export function addLogOperations(api: Api, { home, follower }: DaemonPorts): void {
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/logs',
      operationId: 'listLogs',
      tags: ['Logs'],
      summary: 'The logs of this domain, and the keys their checkpoints are signed with',
      responses: {
        200: { description: 'The logs.', content: { 'application/json': { schema: z.object({}) } } },
        ...answersOf(401, 403, 429),
      },
    },
    exposure: 'read',
    handle(context) {
      const here = enrolledLogs(home, follower);
      const { logs } = follower.view.state;
      const execution = here.map((name) => {
        const origin = home.executionOrigin(name);
        const vkeys = logs.find((log) => log.origin === origin)?.vkeys ?? [];
        return { origin, vkeys, path: `/v1/logs/execution/${name}` };
      });
      const governance = {
        origin: home.governanceOrigin,
        vkeys: [home.governanceVkey],
        path: '/v1/logs/governance',
      };
      return answerJson(context, { logs: [governance, ...execution] });
    },
  });

  const folderOf = (context: Context, isGovernance: boolean): string | undefined => {
    if (isGovernance) return home.governanceFolder;
    const log = context.req.param('log') ?? '';
    return enrolledLogs(home, follower).includes(log) ? home.executionLogFolder(log) : undefined;
  };
  for (const isGovernance of [true, false]) {
    const base = isGovernance ? '/v1/logs/governance' : '/v1/logs/execution/{log}';
    const which = isGovernance ? 'Governance' : 'Execution';
    const log = isGovernance ? {} : { log: z.string() };
    addOperation(api, {
      route: {
        method: 'get',
        path: `${base}/checkpoint`,
        operationId: `get${which}Checkpoint`,
        tags: ['Logs'],
        summary: `The newest checkpoint of the ${which.toLowerCase()} log, a C2SP signed note`,
        ...(isGovernance ? {} : { request: { params: z.object(log) } }),
        responses: { 200: { description: 'The note.', content: NOTE }, ...answersOf(401, 403, 404, 429) },
      },
      exposure: 'read',
      async handle(context) {
        const folder = folderOf(context, isGovernance);
        const note = folder === undefined ? undefined : await readQuietly(join(folder, 'checkpoint'));
        if (note === undefined) return problem(404, 'There is no such checkpoint.');
        return answerBytes(context, note, 'text/plain; charset=utf-8', REVALIDATED);
      },
    });
    addOperation(api, {
      route: {
        method: 'get',
        path: `${base}/tile/{tile}`,
        operationId: `get${which}Tile`,
        tags: ['Logs'],
        summary: `A tile or entry bundle of the ${which.toLowerCase()} log`,
        description: '`tile` is the rest of a tlog-tiles path: `0/x001/067`, `entries/000.p/8`.',
        request: { params: z.object({ ...log, tile: z.string() }) },
        responses: { 200: { description: 'The tile.', content: TILE }, ...answersOf(401, 403, 404, 429) },
      },
      exposure: 'read',
      takesRest: true,
      async handle(context) {
        const folder = folderOf(context, isGovernance);
        const tile = parseTilePath(`tile/${context.req.param('tile') ?? ''}`);
        if (folder === undefined || isDenial(tile)) return problem(404, 'There is no such tile.');
        // From what was parsed: no other path can be formatted.
        const bytes = await readQuietly(join(folder, formatTilePath(tile)));
        if (bytes === undefined) return problem(404, 'There is no such tile.');
        return answerBytes(context, bytes, 'application/octet-stream', IMMUTABLE);
      },
    });
  }
}

async function readQuietly(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch {
    return undefined;
  }
}
