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

/** `morePolicies`: Cedar that joins the demo's own policies. */
export async function makeGovernedServer(morePolicies: readonly string[] = []): Promise<GovernedServer> {
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
    'never',
  ];
  return {
    world,
    direct: [command, [...args]],
    governed: [process.execPath, [writ, 'mcp', ...options, '--', command, ...args]],
    path: join(world.workspace, 'notes', 'plan.md'),
    dispose: () => rmSync(parent, { recursive: true, force: true }),
  };
}
