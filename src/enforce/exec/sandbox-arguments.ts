import { lstatSync, readlinkSync } from 'node:fs';
import type { GrantedPath } from './granted-path.ts';
import { type Limits, loweringCommand, type Making, takesMore } from './limits.ts';
import { LAUNCHER, LAUNCHER_OPTIONS, launchScript } from './network-launch.ts';
import type { Program, ProgramFile } from './program.ts';
import { SYSTEM_FOLDERS } from './program-place.ts';

/** Everything that is decided about a confined process before it is made. */
export interface SandboxPlan {
  readonly program: Program;
  /** Without the program's name. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: ReadonlyMap<string, string>;
  readonly paths: readonly GrantedPath[];
  readonly limits: Limits;
  /** Whether it gets a way to a proxy. */
  readonly hasNetwork?: boolean;
  readonly account: { readonly uid: number; readonly gid: number };
}

/** Descriptors that bubblewrap is given. */
export const DESCRIPTOR = { arguments: 3, seccomp: 4, status: 5, gate: 6, firstData: 7 } as const;

export interface SandboxArguments {
  /** For `--args`: nobody reads them from the process list. */
  readonly options: readonly string[];
  /** What is run in the sandbox. */
  readonly command: readonly string[];
  /** Bytes for descriptors from `DESCRIPTOR.firstData` on. */
  readonly data: readonly Uint8Array[];
  /** Descriptor of the channel that the listening socket of the sandbox comes over. */
  readonly channel: number | undefined;
  readonly making: Making;
}

/** Configuration of the system without secrets: what is not there is left out. */
const CONFIGURATION = [
  '/etc/alternatives',
  '/etc/ca-certificates',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/services',
  '/etc/protocols',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/timezone',
];
const MIN_TMP_BYTES = 16 * 1024 * 1024;

/**
 * The arguments of bubblewrap. INVARIANT: an array, never a line that a shell would read.
 *
 * @param inherited descriptors that are handed on masked.
 */
export function sandboxArguments(plan: SandboxPlan, inherited: number): SandboxArguments {
  const { program, argv, cwd, environment, paths, limits, account } = plan;
  const data: Uint8Array[] = [];
  const bindData = (bytes: Uint8Array, path: string, mode: string): readonly string[] => {
    data.push(bytes);
    return ['--perms', mode, '--ro-bind-data', `${DESCRIPTOR.firstData + data.length - 1}`, path];
  };
  const run = ({ bytes, path }: ProgramFile): readonly string[] => bindData(bytes, path, '0555');
  const text = (content: string, path: string): readonly string[] =>
    bindData(Buffer.from(content), path, '0444');
  const tmpBytes = `${Math.max(MIN_TMP_BYTES, Math.floor(limits.memoryBytes / 2))}`;
  const { uid, gid } = account;
  const inner = commandOf(program, argv);
  const lowering = loweringCommand(limits);
  const launch =
    plan.hasNetwork === true
      ? {
          command: [LAUNCHER.node, ...LAUNCHER_OPTIONS, LAUNCHER.script],
          options: [
            ...['--ro-bind', process.execPath, LAUNCHER.node],
            ...text(launchScript(lowering, inner, environment), LAUNCHER.script),
          ],
        }
      : undefined;
  const variables = launch === undefined ? environment : new Map<string, string>();
  const options = [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--cap-drop', 'ALL'],
    ...['--uid', `${uid}`, '--gid', `${gid}`, '--hostname', 'confined'],
    ...['--new-session', '--die-with-parent'],
    '--clearenv',
    ...[...variables].flatMap(([name, value]) => ['--setenv', name, value]),
    ...SYSTEM_FOLDERS.flatMap(systemFolder),
    ...CONFIGURATION.flatMap((path) => ['--ro-bind-try', path, path]),
    ...text(`confined:x:${uid}:${gid}:confined:/tmp:/bin/sh\n`, '/etc/passwd'),
    ...text(`confined:x:${gid}:\n`, '/etc/group'),
    ...text('127.0.0.1 localhost\n::1 localhost\n', '/etc/hosts'),
    ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev'],
    ...['--size', tmpBytes, '--perms', '1777', '--tmpfs', '/dev/shm'],
    ...['--size', tmpBytes, '--perms', '1777', '--tmpfs', '/tmp'],
    ...paths.flatMap(({ path, access, source = path }) => [
      access === 'read' ? '--ro-bind' : '--bind',
      source,
      path,
    ]),
    ...(program.interpreter === undefined ? [] : run(program.interpreter)),
    ...run(program),
    ...(launch?.options ?? []),
    ...['--remount-ro', '/', '--chdir', cwd],
    ...['--seccomp', `${DESCRIPTOR.seccomp}`],
    ...['--block-fd', `${DESCRIPTOR.gate}`, '--json-status-fd', `${DESCRIPTOR.status}`],
  ];
  const channel = launch === undefined ? undefined : DESCRIPTOR.firstData + data.length;
  const making: Making = {
    copiedBytes: Math.max(...data.map(({ byteLength }) => byteLength)),
    descriptors: DESCRIPTOR.firstData + data.length + (channel === undefined ? 0 : 1) + inherited,
  };
  if (channel !== undefined) options.push('--setenv', 'NODE_CHANNEL_FD', `${channel}`);
  const command = launch?.command ?? [...(takesMore(making, limits) ? lowering : []), ...inner];
  // INVARIANT: options are told apart by NUL. One within a value would make options of its own.
  if ([...options, ...command, ...inner].some((word) => word.includes('\0')))
    throw new TypeError('an option holds a NUL');
  return { options, command, data, channel, making };
}

/** What the kernel would make of it (execve(2), "Interpreter scripts"). */
function commandOf({ path, interpreter }: Program, argv: readonly string[]): readonly string[] {
  if (interpreter === undefined) return [path, ...argv];
  const { argument } = interpreter;
  return [interpreter.path, ...(argument === undefined ? [] : [argument]), path, ...argv];
}

function systemFolder(path: string): readonly string[] {
  try {
    return lstatSync(path).isSymbolicLink()
      ? ['--symlink', readlinkSync(path), path]
      : ['--ro-bind', path, path];
  } catch {
    return [];
  }
}
