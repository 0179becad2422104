import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { govern, type Writ } from '../../src/index.ts';
import { contract } from '../support/contracts.ts';
import { parsePlan } from './plan.ts';

type Workspace = 'staging' | 'production';

/**
 * Applies plans, governed. The file is read once: what was measured is what is decided on, and those very bytes go to the program,
 * whatever becomes of the file meanwhile.
 *
 * @param stateFile the state of a workspace.
 */
export function governApply(writ: Writ, stateFile: (workspace: Workspace) => string) {
  const measured = new Map<string, Uint8Array>();
  const apply = govern(
    writ,
    contract(import.meta.dirname, 'infra', 'apply_plan'),
    async ({ workspace, digest }: { workspace: Workspace; digest: string }, { signal }) => {
      const bytes = measured.get(digest);
      if (bytes === undefined) throw new Error('this plan was not measured');
      await runStandIn(bytes, stateFile(workspace), signal);
    },
  );
  return async (workspace: Workspace, planFile: string): Promise<void> => {
    const bytes = readFileSync(planFile);
    const { create, destroy } = parsePlan(bytes);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    measured.set(digest, bytes);
    const counts = { creates: Object.keys(create).length, destroys: destroy.length };
    await apply({ workspace, digest, ...counts });
  };
}

/** `terraform apply -`, if there were such a thing. */
function runStandIn(plan: Uint8Array, stateFile: string, signal: AbortSignal): Promise<void> {
  const program = join(import.meta.dirname, 'stand-in.ts');
  const child = spawn(process.execPath, [program, 'apply', stateFile], {
    env: {},
    signal,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(plan);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`apply ended with ${code}`))));
  });
}
