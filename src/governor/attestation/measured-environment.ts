import { type Denial, isDenial } from '../../denial/index.ts';
import {
  type Component,
  EnvironmentWatch,
  joinComponents,
  measureSurroundings,
  type OnRead,
} from '../../environment/index.ts';
import type { Home } from '../home.ts';
import { readEnvironmentFile } from './environment-file.ts';

const MEASURE_EVERY_MS = 60_000;

export interface MeasuredRuntime {
  readonly home: Home;
  /** The folder whose repository counts. */
  readonly folder: string;
  /** As the orchestrator tells it. */
  readonly containerImage: string | undefined;
  readonly nowSeconds: () => number;
  /** Enforcer and program. Tells what it reads. */
  readonly measureProgram: (onRead?: OnRead) => Promise<readonly Component[]>;
  /** Files that are watched beside what is told. */
  readonly paths?: readonly string[];
}

/** A runtime's environment, and how it is kept true while the runtime lasts. */
export interface MeasuredEnvironment {
  readonly components: Promise<readonly Component[]>;
  /** Tells whoever decides of every later measuring, and when it began; of the last one at once, where there were some before. */
  follow(governor: { setComponents(components: readonly Component[], atSeconds: number): void }): void;
  stop(): void;
}

/**
 * Measures a program, and what the domain's environment profile asks for. Where there is a profile, the whole is measured
 * again when something of it changes, and every minute; without one it is measured once, as ever.
 *
 * @returns a denial where the profile cannot be read.
 */
export function measureEnvironment(runtime: MeasuredRuntime): MeasuredEnvironment | Denial {
  const { home, folder, containerImage, nowSeconds, measureProgram, paths } = runtime;
  const profile = readEnvironmentFile(home.environmentFile);
  if (isDenial(profile)) return profile;
  if (profile.measure.length === 0) {
    return { components: measureProgram(), follow: () => undefined, stop: () => undefined };
  }
  const surroundings = { domain: home.domain, homeFolder: home.folder, folder, containerImage };
  let followed: Parameters<MeasuredEnvironment['follow']>[0] | undefined;
  /** What was found anew before anybody followed. */
  let latest: readonly [components: readonly Component[], atSeconds: number] | undefined;
  /** One measuring at a time; what it reads first may have changed long before it has read all. */
  let begunSeconds = nowSeconds();
  const watch = new EnvironmentWatch({
    measure: async (onRead) => {
      begunSeconds = nowSeconds();
      const [measured, around] = await Promise.all([
        measureProgram(onRead),
        measureSurroundings(profile.measure, surroundings, begunSeconds, onRead),
      ]);
      return joinComponents(measured, around);
    },
    ...(paths && { paths }),
    everyMs: MEASURE_EVERY_MS,
    onMeasured: (components) => {
      latest = [components, begunSeconds];
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
