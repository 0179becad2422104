import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeGovernedServer } from '../governed-server.ts';
import { RawClient } from '../raw-client.ts';
import { NINETEEN_FORBIDS } from '../twenty-policies.ts';
import { type Contestant, mustRefuse } from './contestant.ts';
import { published } from './published.ts';
import { dependencyVersion, writVersion } from './versions.ts';

const IN_FLIGHT = 16;
const TOOL = 'read_text_file';
/** By Writ: the server behind it would refuse that path, too. */
const REFUSAL = 'scope.arguments_not_granted';
/** Three policies are the demo's own. */
const MORE_POLICIES = NINETEEN_FORBIDS.slice(0, 17);
/** Linux shows processor time in /proc in hundredths of a second. */
const MICROS_PER_TICK = 10_000;

/** The filesystem server by itself, and behind `writ mcp`: one call at a time, and several. */
export async function gatewayContestants(): Promise<Contestant[]> {
  const version = writVersion();
  const server = await makeGovernedServer(MORE_POLICIES);
  const clients = { direct: new RawClient(...server.direct), governed: new RawClient(...server.governed) };
  await clients.direct.initialize();
  await clients.governed.initialize();
  const { path } = server;
  const outside = join(server.world.workspace, '..', 'domain');
  const of = (client: RawClient, inFlight: number, batch: number, code?: string) => ({
    version,
    inFlight,
    batch,
    prepare: () => () => client.call(TOOL, { path }),
    processorMicros: () => processorMicrosOf(client.process.pid),
    async check() {
      await client.call(TOOL, { path });
      await mustRefuse('another path', () => client.call(TOOL, { path: outside }), code);
    },
  });
  const direct = {
    does: 'the call itself: reads the file, over stdio',
    doesNot: 'any authorization or record',
    refuses: 'path outside the folder it serves',
  };
  const governed = {
    does: 'proof signed for the agent, governor.run, durable, the call itself, over stdio twice',
    doesNot: 'approvals by people, witnesses (neither is set up here)',
    refuses: 'path outside the prefix',
  };
  return [
    {
      name: 'filesystem server, no gateway',
      ...direct,
      ...of(clients.direct, 1, 400),
      version: dependencyVersion('@modelcontextprotocol/server-filesystem'),
    },
    {
      name: 'Writ gateway, one at a time',
      ...governed,
      ...of(clients.governed, 1, 400, REFUSAL),
      rest: published,
    },
    {
      name: `Writ gateway, ${IN_FLIGHT} in flight`,
      ...governed,
      ...of(clients.governed, IN_FLIGHT, 1200, REFUSAL),
      rest: published,
      async close() {
        for (const client of Object.values(clients)) await client.close();
        server.dispose();
      },
    },
  ];
}

/** Of a process and its children; not a number where there is no /proc. */
function processorMicrosOf(pid: number | undefined): number {
  try {
    // The name, in parentheses, may hold spaces; user and system time are the 12th and 13th field after it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const own = (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return children.reduce((sum, child) => sum + processorMicrosOf(Number(child)), own);
  } catch {
    return Number.NaN;
  }
}
