import { join } from 'node:path';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  type Confiner,
  confinerComponents,
  type Program,
  programComponents,
  runCanariesUnlessKept,
} from '../enforce/exec/index.ts';
import {
  type Component,
  confinementComponents,
  keepDigests,
  measureEnforcer,
  type OnRead,
  recallDigests,
} from '../environment/index.ts';
import type { Home } from '../governor/index.ts';
import { measureConfinement } from './confinement-check.ts';

/** What a program will run on, and in. */
export interface ExecMeasuring {
  /** Known only once the canaries have come back. */
  measure(onRead?: OnRead): Promise<readonly Component[]>;
  /** Of the oldest of what was measured last, in Unix seconds. */
  readonly atSeconds: number;
}

/** The first time, what canaries found in the last minute counts, as old as it is; whenever it is measured again, they run. */
export function measuringOf(home: Home, program: Program, confiner: Confiner | Denial): ExecMeasuring {
  const cache = join(home.folder, 'cache');
  const digests = join(cache, 'digests.json');
  let isFirst = true;
  let atSeconds = 0;
  return {
    get atSeconds() {
      return atSeconds;
    },
    async measure(onRead) {
      const mayBeKept = isFirst;
      isFirst = false;
      const startedSeconds = Math.floor(Date.now() / 1000);
      const recalled = await recallDigests(digests);
      const enforcer = await measureEnforcer(onRead);
      let confinement: readonly Component[];
      if (isDenial(confiner) || !mayBeKept) {
        confinement = await measureConfinement(confiner);
        atSeconds = startedSeconds;
      } else {
        const file = join(cache, 'canaries.json');
        const canaries = await runCanariesUnlessKept(confiner, { file, enforcer });
        confinement = [...confinementComponents(canaries.states), ...confinerComponents(confiner)];
        atSeconds = Math.min(startedSeconds, canaries.atSeconds);
      }
      await keepDigests(digests, recalled);
      return [...enforcer, ...confinement, ...programComponents(program)];
    },
  };
}
