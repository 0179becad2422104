import { isDenial } from '../denial/index.ts';
import {
  type Component,
  joinComponents,
  type Surroundings as MeasuredSurroundings,
  measureSurroundings,
} from '../environment/index.ts';
import { type Home, readEnvironmentFile } from '../governor/index.ts';
import { denied } from './cli-error.ts';
import type { Session } from './session.ts';

/** Where an orchestrator tells the image it started, pinned by its digest. */
const IMAGE_VARIABLE = 'WRIT_CONTAINER_IMAGE';

export function surroundingsOf(session: Session, home: Home, folder: string): MeasuredSurroundings {
  const containerImage = session.surroundings.environment[IMAGE_VARIABLE];
  return { domain: home.domain, homeFolder: home.folder, folder, containerImage };
}

/** Adds what this domain's environment profile asks for; nothing where it has none. */
export async function withSurroundings(
  session: Session,
  home: Home,
  folder: string,
  measuring: Promise<readonly Component[]>,
): Promise<readonly Component[]> {
  const profile = readEnvironmentFile(home.environmentFile);
  if (isDenial(profile)) {
    measuring.catch(() => undefined);
    throw denied(profile, 'write it again with "writ env enroll --measure …"');
  }
  if (profile.measure.length === 0) return measuring;
  const surroundings = surroundingsOf(session, home, folder);
  const [measured, around] = await Promise.all([
    measuring,
    measureSurroundings(profile.measure, surroundings, session.nowSeconds),
  ]);
  return joinComponents(measured, around);
}
