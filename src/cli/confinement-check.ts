import { type Denial, isDenial } from '../denial/index.ts';
import { type Confiner, confinerComponents, findConfiner, runCanaries } from '../enforce/exec/index.ts';
import { CONFINEMENT_LAYERS, type Component, confinementComponents } from '../environment/index.ts';
import type { Home } from '../governor/index.ts';
import type { Finding } from './doctor-checks.ts';
import { listProgramNames } from './program-file.ts';

/** What confines programs here, and whether each of its layers holds. Known only once the canaries have come back. */
export async function measureConfinement(confiner: Confiner | Denial): Promise<readonly Component[]> {
  if (isDenial(confiner)) return confinementComponents(new Map());
  const { states } = await runCanaries(confiner);
  return [...confinementComponents(states), ...confinerComponents(confiner)];
}

/** Whether programs can be run confined here: every layer is tried. Without adopted programs nobody needs it. */
export async function checkConfinement(home: Home): Promise<Finding> {
  const check = 'confinement';
  const status = listProgramNames(home).length === 0 ? 'warn' : 'fail';
  const hint = '"writ exec" is denied here until that is so';
  const confiner = findConfiner();
  if (isDenial(confiner)) return { check, status, detail: confiner.detail, hint };
  const { states, problem } = await runCanaries(confiner);
  const open = CONFINEMENT_LAYERS.filter((layer) => states.get(layer) !== 'holds');
  if (open.length === 0)
    return { check, status: 'ok', detail: `${CONFINEMENT_LAYERS.length} layers were tried and hold` };
  const detail = open.map((layer) => `${layer} ${states.get(layer) ?? 'absent'}`).join(', ');
  return { check, status, detail: problem === undefined ? detail : `${problem}: ${detail}`, hint };
}
