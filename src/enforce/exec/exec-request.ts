import type { Digest, JsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Account } from './confiner.ts';
import { sortEnvironment } from './environment-variables.ts';
import { closePaths, type GrantedPath, openPaths } from './granted-path.ts';
import { findBadLimit, type Limits } from './limits.ts';
import { type Destination, destinationText, parseNetwork } from './network-grant.ts';
import { PROXY_VARIABLES } from './network-launch.ts';
import { isBeneath } from './path-lineage.ts';
import type { Program } from './program.ts';
import { findUnsafePlace } from './program-place.ts';

/** What a caller asks for. */
export interface ExecAsk {
  readonly program: Program;
  /** Without the program's name. */
  readonly argv: readonly string[];
  /** Folder it is run in; default: the caller's, where the program sees that, else `/`. */
  readonly cwd?: string;
  /** Beyond what every program gets. */
  readonly environment: ReadonlyMap<string, string>;
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** `host:port` */
  readonly network: readonly string[];
  readonly limits: Limits;
  /** Of standard input, where that is bound: the program then reads just these bytes. */
  readonly stdinDigest?: Digest;
  /** It runs as. */
  readonly account: Account;
}

/** An ask, resolved: what is decided on, and what is then bound. */
export interface ExecRequest {
  readonly args: JsonObject;
  readonly paths: readonly GrantedPath[];
  /** Everything the program gets. */
  readonly environment: ReadonlyMap<string, string>;
  readonly network: readonly Destination[];
  readonly cwd: string;
}

const MAX_ARGUMENTS = 4096;
const MAX_PATH_CHARACTERS = 4096;
const MAX_ARGUMENT_CHARACTERS = 131_072;

/**
 * Resolves an ask. The arguments are what is decided on: paths without symbolic links, the program by its digest.
 *
 * @param here the caller's folder.
 * @param hidden folders that no program may see.
 */
export function resolveAsk(ask: ExecAsk, here: string, hidden: readonly string[]): ExecRequest | Denial {
  const { program, argv, limits } = ask;
  const wrong = findBadArgument(argv) ?? findBadLimit(limits);
  if (wrong !== undefined) return wrong;
  const network = parseNetwork(ask.network);
  if (isDenial(network)) return network;
  // What starts a program that has a network would read this as a variable.
  if (network.length > 0 && (program.interpreter ?? program).path.includes('=')) {
    return deny('request.malformed', 'the path of a program that has a network holds an =');
  }
  const environment = sortEnvironment(ask.environment);
  if (isDenial(environment)) return environment;
  const paths = openPaths({ read: ask.read, write: ask.write, cwd: here, hidden });
  if (isDenial(paths)) return paths;
  const unsafe = findUnsafePlace(program, paths);
  if (unsafe !== undefined) {
    closePaths(paths);
    return unsafe;
  }
  const cwd = ask.cwd ?? (paths.some(({ path }) => isBeneath(path, here)) ? here : '/');
  if (!isPlainPath(cwd)) {
    closePaths(paths);
    return deny('request.malformed', 'the working folder is not an absolute path');
  }
  const { interpreter } = program;
  const pathsOf = (access: GrantedPath['access']): readonly string[] =>
    paths.filter((granted) => granted.access === access).map(({ path }) => path);
  const args: JsonObject = {
    program: program.path,
    programDigest: program.digest,
    ...(interpreter === undefined
      ? {}
      : { interpreter: interpreter.path, interpreterDigest: interpreter.digest }),
    argv: [...argv],
    account: accountText(ask.account),
    cwd,
    env: [...environment.safe],
    ...(environment.unsafe.length === 0 ? {} : { unsafeEnv: [...environment.unsafe] }),
    read: pathsOf('read'),
    write: pathsOf('write'),
    network: network.map(destinationText),
    ...(ask.stdinDigest === undefined ? {} : { stdinDigest: ask.stdinDigest }),
    ...limits,
  };
  // What was asked for goes first: it is what is decided on.
  const implied = network.length === 0 ? [] : PROXY_VARIABLES;
  return { args, paths, environment: new Map([...implied, ...environment.all]), network, cwd };
}

/** `uid:gid` */
export function accountText({ uid, gid }: Account): string {
  return `${uid}:${gid}`;
}

function isPlainPath(path: string): boolean {
  return (
    path.startsWith('/') &&
    path.length <= MAX_PATH_CHARACTERS &&
    path.isWellFormed() &&
    !path.includes('\0') &&
    !path.split('/').includes('..')
  );
}

function findBadArgument(argv: readonly string[]): Denial | undefined {
  if (argv.length > MAX_ARGUMENTS) return deny('request.too_large', 'there are too many arguments');
  let characters = 0;
  for (const argument of argv) {
    characters += argument.length;
    if (argument.includes('\0') || !argument.isWellFormed()) {
      return deny('request.malformed', 'an argument is malformed');
    }
  }
  return characters > MAX_ARGUMENT_CHARACTERS
    ? deny('request.too_large', 'the arguments are too long')
    : undefined;
}
