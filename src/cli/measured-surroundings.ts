import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import {
  type Component,
  EnvironmentWatch,
  joinComponents,
  type Surroundings as MeasuredSurroundings,
  measureSurroundings,
  pathsOf,
} from '../environment/index.ts';
import { type Home, IMAGE_VARIABLE, readEnvironmentFile } from '../governor/index.ts';
import { denied } from './cli-error.ts';
import type { Session } from './session.ts';

const MEASURE_EVERY_MS = 60_000;

export function surroundingsOf(session: Session, home: Home, folder: string): MeasuredSurroundings {
  const containerImage = session.surroundings.environment[IMAGE_VARIABLE];
  return { domain: home.domain, homeFolder: home.folder, folder, containerImage };
}

/** A runtime's environment, and how it is kept true while the runtime lasts. */
export interface MeasuredEnvironment {
  readonly components: Promise<readonly Component[]>;
  /** Tells whoever decides of every later measuring; of the last one at once, where there were some before. */
  follow(governor: { setComponents(components: readonly Component[], atSeconds: number): void }): void;
  stop(): void;
}

/**
 * Measures a program, and what this domain's environment profile asks for. Where there is a profile, the whole is measured
 * again when something of it changes, and every minute; without one it is measured once, as ever.
 *
 * @param words the command line of the program: those that are files are watched.
 */
export function measureEnvironment(
  session: Session,
  home: Home,
  program: { readonly folder: string; readonly words: readonly string[] },
  measureProgram: () => Promise<readonly Component[]>,
): MeasuredEnvironment {
  const profile = readEnvironmentFile(home.environmentFile);
  if (isDenial(profile)) throw denied(profile, 'write it again with "writ env enroll NAME --measure …"');
  if (profile.measure.length === 0) {
    return { components: measureProgram(), follow: () => undefined, stop: () => undefined };
  }
  const surroundings = surroundingsOf(session, home, program.folder);
  let followed: Parameters<MeasuredEnvironment['follow']>[0] | undefined;
  /** What was found anew before anybody followed. */
  let latest: readonly [components: readonly Component[], atSeconds: number] | undefined;
  const watch = new EnvironmentWatch({
    measure: async () => {
      const [measured, around] = await Promise.all([
        measureProgram(),
        measureSurroundings(profile.measure, surroundings, session.nowSeconds),
      ]);
      return joinComponents(measured, around);
    },
    paths: [
      ...pathsOf(profile.measure, surroundings),
      ...program.words.map((word) => resolve(program.folder, word)),
    ],
    everyMs: MEASURE_EVERY_MS,
    onMeasured: (components) => {
      latest = [components, session.nowSeconds];
      followed?.setComponents(...latest);
    },
  });
  return {
    components: watch.measure(),
    follow: (governor) => {
      followed = governor;
      if (latest !== undefined) governor.setComponents(...latest);
    },
    stop: () => watch.stop(),
  };
}
