import { existsSync, realpathSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type Denial, isDenial } from '../denial/index.ts';
import { DEFAULT_LIMITS, execPointName, type Program, readProgram } from '../enforce/exec/index.ts';
import { type Home, isLocalName } from '../governor/index.ts';
import { localAgents } from './agents.ts';
import { CliError } from './cli-error.ts';
import { findStoredName, listProgramNames, readStoredProgram, type StoredProgram } from './program-file.ts';
import type { Surroundings } from './surroundings.ts';
import { findExecutable } from './surroundings.ts';

export interface FoundProgram {
  /** As it was adopted, else `unadopted`: then nothing grants it. */
  readonly name: string;
  readonly isAdopted: boolean;
  readonly program: Program;
  readonly stored: StoredProgram;
}

const UNADOPTED = 'unadopted';
/** With a number behind it, it still is a name. */
const MAX_NAME_CHARACTERS = 48;
/** Conventional exit code of a program that is not there. */
const NOT_FOUND = 127;

/** Where a program is, and what it was adopted as. */
export interface LocatedProgram {
  /** Undefined where nothing grants it. */
  readonly name: string | undefined;
  /** Without symbolic links. */
  readonly path: string;
  readonly stored: StoredProgram | undefined;
}

/** Finds the program of a command line by the name it was adopted under, else by its path, and reads nothing of it. */
export function locateProgram(
  home: Home | undefined,
  command: string,
  surroundings: Surroundings,
): LocatedProgram {
  const named = home && readStoredProgram(home, command);
  const path = named?.path ?? findExecutable(command, surroundings.path, surroundings.cwd);
  if (path === undefined) {
    throw new CliError({
      code: 'not_found',
      message: `there is no program ${command}`,
      hint: 'adopt one with "writ exec adopt NAME -- PROGRAM"',
      exitCode: NOT_FOUND,
    });
  }
  const real = realPath(surroundings.cwd, path);
  const name = named === undefined ? home && findStoredName(home, real) : command;
  const stored = named ?? (name === undefined ? undefined : home && readStoredProgram(home, name));
  return { name, path: real, stored };
}

/** The program of a command line, read. */
export function findProgram(home: Home, command: string, surroundings: Surroundings): FoundProgram | Denial {
  const { name, path, stored } = locateProgram(home, command, surroundings);
  const program = readProgram(path);
  if (isDenial(program)) return program;
  return {
    name: name ?? UNADOPTED,
    isAdopted: stored !== undefined,
    program,
    stored: stored ?? {
      path,
      digest: program.digest,
      effects: 'destructive',
      read: [],
      write: [],
      network: [],
      env: {},
      limits: DEFAULT_LIMITS,
    },
  };
}

/** Without symbolic links, where it leads somewhere. */
export function realPath(cwd: string, path: string): string {
  try {
    return realpathSync(resolve(cwd, path));
  } catch {
    return resolve(cwd, path);
  }
}

/** A name for a program that nothing in the trust domain is called by yet. */
export function freeName(home: Home | undefined, path: string): string {
  const plain = basename(path)
    .replace(/[^A-Za-z0-9._~-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|\.{2,}/g, '')
    .slice(0, MAX_NAME_CHARACTERS);
  const base = isLocalName(plain) ? plain : 'program';
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? base : `${base}-${count}`;
    if (home === undefined || !isTaken(home, name)) return name;
  }
}

function isTaken(home: Home, name: string): boolean {
  const point = execPointName(name);
  return (
    listProgramNames(home).includes(name) ||
    existsSync(join(home.folder, 'policy', 'tools', `${point}.json`)) ||
    localAgents(home).some((agent) => existsSync(home.artifactFile(`${agent}-${point}`)))
  );
}
