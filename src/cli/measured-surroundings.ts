import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import type { Component, Surroundings as MeasuredSurroundings, OnRead } from '../environment/index.ts';
import {
  type Home,
  IMAGE_VARIABLE,
  type MeasuredEnvironment,
  measureEnvironment,
} from '../governor/index.ts';
import { denied } from './cli-error.ts';
import type { Session } from './session.ts';

export function surroundingsOf(session: Session, home: Home, folder: string): MeasuredSurroundings {
  const containerImage = session.surroundings.environment[IMAGE_VARIABLE];
  return { domain: home.domain, homeFolder: home.folder, folder, containerImage };
}

/**
 * A program's environment while a command runs it, as {@link measureEnvironment} has it.
 *
 * @param words the command line of the program: those that are files are watched.
 */
export function measureRuntime(
  session: Session,
  home: Home,
  program: { readonly folder: string; readonly words: readonly string[] },
  measureProgram: (onRead?: OnRead) => Promise<readonly Component[]>,
): MeasuredEnvironment {
  const measured = measureEnvironment({
    ...{ home, folder: program.folder, measureProgram },
    containerImage: session.surroundings.environment[IMAGE_VARIABLE],
    nowSeconds: () => session.nowSeconds,
    paths: program.words.map((word) => resolve(program.folder, word)),
  });
  if (isDenial(measured)) throw denied(measured, 'write it again with "writ env enroll NAME --measure …"');
  return measured;
}
