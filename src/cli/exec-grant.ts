import { parseConstraint } from '../artifact/index.ts';
import { isJsonObject, type JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { DEFAULT_ENVIRONMENT, type Limits, type Program, sortEnvironment } from '../enforce/exec/index.ts';
import { denied, usageError } from './cli-error.ts';
import { orUsage, readJsonFile } from './input-file.ts';
import type { StoredProgram } from './program-file.ts';

const MAX_GRAMMAR_BYTES = 256 * 1024;

/** What the artifact grants: this program with these bytes, and nothing that the options do not name. */
export function constraintsOf(
  program: Program,
  asked: StoredProgram,
  { argv, account }: { readonly argv: JsonObject; readonly account: string },
): JsonObject {
  const exact = (value: string): JsonObject => ({ constraint_type: 'exact', value });
  const subset = (allowed: readonly string[]): JsonObject => ({
    constraint_type: 'subset',
    allowed: [...allowed],
  });
  const environment = sortEnvironment(new Map(Object.entries(asked.env)));
  if (isDenial(environment)) throw denied(environment);
  const { interpreter } = program;
  const limits = Object.entries(asked.limits satisfies Limits).map(([name, max]) => [
    name,
    { constraint_type: 'range', min: 0, max },
  ]);
  return {
    program: exact(program.path),
    programDigest: exact(program.digest),
    ...(interpreter === undefined
      ? {}
      : { interpreter: exact(interpreter.path), interpreterDigest: exact(interpreter.digest) }),
    argv,
    account: exact(account),
    cwd: { constraint_type: 'path_containment', root: '/' },
    env: subset([
      ...environment.safe,
      ...[...DEFAULT_ENVIRONMENT].map(([name, value]) => `${name}=${value}`),
    ]),
    ...(environment.unsafe.length === 0
      ? {}
      : { unsafeEnv: { ...subset(environment.unsafe), optional: true } }),
    read: pathsConstraint(asked.read),
    write: pathsConstraint(asked.write),
    network: subset(asked.network),
    ...Object.fromEntries(limits),
  };
}

export function stdinOf(stdin: string | undefined): JsonObject {
  if (stdin === undefined) return {};
  if (stdin === 'any') return { stdinDigest: { constraint_type: 'wildcard' } };
  if (!/^sha256:[0-9a-f]{64}$/.test(stdin))
    throw usageError(`--stdin "${stdin}" is neither sha256:… nor any`);
  return { stdinDigest: { constraint_type: 'exact', value: stdin } };
}

/** These paths, some of them or none; or any number of paths beneath one of them. */
function pathsConstraint(paths: readonly string[]): JsonObject {
  const [first] = paths;
  const exactly: JsonObject = { constraint_type: 'subset', allowed: [...paths] };
  if (first === undefined) return exactly;
  const beneath = paths.map((root): JsonObject => {
    return { constraint_type: 'argv', rest: { constraint_type: 'path_containment', root } };
  });
  return { constraint_type: 'any', constraints: [exactly, ...beneath] };
}

/** The grammar of the arguments; without one, there are none. */
export function argvOf(
  cwd: string,
  { argv, anyArguments }: { readonly argv?: string; readonly anyArguments?: boolean },
): JsonObject {
  if (anyArguments === true) {
    if (argv !== undefined) throw usageError('--argv and --any-arguments exclude each other');
    return { constraint_type: 'wildcard' };
  }
  if (argv === undefined) return { constraint_type: 'argv' };
  const json = orUsage(readJsonFile(cwd, argv, { maxBytes: MAX_GRAMMAR_BYTES, maxDepth: 40 }));
  if (!isJsonObject(json)) throw usageError(`${argv} is no JSON object`);
  const constraint = { constraint_type: 'argv', ...json };
  const parsed = parseConstraint(constraint);
  if (isDenial(parsed))
    throw usageError(`${argv}: ${parsed.detail}`, 'see spec/artifact-constraints.md, argv');
  return constraint;
}
