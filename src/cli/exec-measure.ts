import { join } from 'node:path';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  type Confiner,
  confinerComponents,
  type Program,
  programComponents,
  runCanaries,
} from '../enforce/exec/index.ts';
import {
  type Component,
  confinementComponents,
  keepDigests,
  measureEnforcer,
  recallDigests,
} from '../environment/index.ts';
import type { Home } from '../governor/index.ts';

/** What a program will run on, and in: known only once the canaries have come back. */
export async function measureExec(
  home: Home,
  program: Program,
  confiner: Confiner | Denial,
): Promise<readonly Component[]> {
  const file = join(home.folder, 'cache', 'digests.json');
  const recalled = await recallDigests(file);
  const [enforcer, canaries] = await Promise.all([
    measureEnforcer(),
    isDenial(confiner) ? { states: new Map() } : runCanaries(confiner),
  ]);
  await keepDigests(file, recalled);
  return [
    ...enforcer,
    ...confinementComponents(canaries.states),
    ...(isDenial(confiner) ? [] : confinerComponents(confiner)),
    ...programComponents(program),
  ];
}
