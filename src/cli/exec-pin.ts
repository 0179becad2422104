import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ExecTool, execPointName } from '../enforce/exec/index.ts';
import { type Home, writeFileDurably } from '../governor/index.ts';
import {
  type AdoptedServer,
  type By,
  changesSince,
  ensurePolicy,
  policyFolder,
  type ReadyPolicy,
} from './init-steps.ts';
import { readToolManifest, toolManifest } from './policy-folder.ts';

/** Makes the definition of a program, and with it its bytes, part of the policy. */
export async function pinTool(
  home: Home,
  tool: ExecTool,
  by: By,
): Promise<{ readonly policy: ReadyPolicy; readonly changes: AdoptedServer['changes'] }> {
  const manifest = join(policyFolder(home), 'tools', `${execPointName(tool.server)}.json`);
  const before = existsSync(manifest) ? readToolManifest(manifest) : undefined;
  writeFileDurably(manifest, toolManifest(tool.server, [tool]), 0o644);
  const policy = await ensurePolicy(home, by);
  return { policy, changes: changesSince(before, [tool]) };
}
