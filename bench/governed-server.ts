import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeWorld, SERVER, type World } from '../examples/demo/world.ts';

export type Command = readonly [command: string, args: readonly string[]];

/** The demo's world with the real filesystem server, as a command by itself and behind `writ mcp`. */
export interface GovernedServer {
  readonly world: World;
  readonly direct: Command;
  readonly governed: Command;
  /** A file that may be read. */
  readonly path: string;
  dispose(): void;
}

/**
 * @param morePolicies Cedar that joins the demo's own policies.
 * @param daemon who decides for the gateway, as `writ mcp --daemon` has it.
 */
export async function makeGovernedServer(
  morePolicies: readonly string[] = [],
  daemon: 'never' | 'running' = 'never',
): Promise<GovernedServer> {
  const parent = mkdtempSync(join(tmpdir(), 'writ-bench-'));
  const world = await makeWorld(join(parent, 'world'), morePolicies);
  const { command, args } = world.upstream;
  const writ = join(import.meta.dirname, '..', 'bin', 'writ.js');
  const options = [
    '--home',
    world.home.folder,
    '--name',
    SERVER,
    '--agent',
    'planner',
    '--artifact',
    'planner',
    '--daemon',
    daemon,
  ];
  return {
    world,
    direct: [command, [...args]],
    governed: [process.execPath, [writ, 'mcp', ...options, '--', command, ...args]],
    path: join(world.workspace, 'notes', 'plan.md'),
    dispose: () => rmSync(parent, { recursive: true, force: true }),
  };
}
