import { type Dirent, opendirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isBeneath, lineageOf } from './path-lineage.ts';

/** Where the sandbox has its own; nothing of the machine is bound over it, and none of it into it. */
const RESERVED = ['/proc', '/sys', '/dev', '/tmp', '/run/writ'];
/** Their parents would bring everything along. */
const TOO_WIDE = ['/', '/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc'];

/** Where the machine's services are talked to: D-Bus, systemd, containers, agents of keys and passwords, each user's session. */
const SERVICES = ['/run', '/var/run'];
/** What lies there to be read, or is somebody's disk. */
const AMONG_SERVICES = ['/run/secrets', '/run/credentials', '/run/media'];

/** The kernel's own, wherever they are mounted: processes, devices and settings of the whole machine. */
const KERNEL_FILE_SYSTEMS: ReadonlySet<string> = new Set(
  (
    'proc sysfs devtmpfs devpts cgroup cgroup2 debugfs tracefs securityfs configfs bpf mqueue pstore efivarfs ' +
    'binfmt_misc selinuxfs smackfs fusectl rpc_pipefs nfsd nsfs'
  ).split(' '),
);

export interface OpenedPath {
  /** Without symbolic links. */
  readonly path: string;
  readonly access: 'read' | 'write';
  /** It, open. */
  readonly file: number;
}

/** A folder is looked through breadth first, no further than this. */
const MAX_ENTRIES = 512;

/** Why a path is never granted, whoever asks: what is reached by it does not end at its files. Undefined where nothing speaks against it. */
export function findUngrantable({ path, access, file }: OpenedPath): string | undefined {
  if (TOO_WIDE.includes(path)) return 'a granted path is too wide';
  if (RESERVED.some((own) => path === own || (own !== '/tmp' && isBeneath(own, path)))) {
    return 'a granted path is one the sandbox has of its own';
  }
  if (access === 'write' && isBeneath('/usr', path)) return 'a granted path belongs to the system';
  if (isAmongServices(path)) return "a granted path is where the machine's services are talked to (/run)";
  if (isKernels(path))
    return "a granted path is on a file system of the kernel's own (proc, sysfs, …), or holds one";
  return leadsOut(`/proc/self/fd/${file}`, access)
    ? 'a granted folder holds a socket, a named pipe or a device: these lead out of the sandbox'
    : undefined;
}

function isAmongServices(path: string): boolean {
  if (AMONG_SERVICES.some((root) => isBeneath(root, path))) return false;
  const lineage = lineageOf(path);
  return SERVICES.some((root) => {
    const identity = identityOf(root);
    if (identity === undefined) return false;
    const real = realpathSync(root);
    return isBeneath(real, path) || isBeneath(path, real) || lineage.includes(identity);
  });
}

/** INVARIANT: what is mounted beneath a granted folder is granted with it (bubblewrap binds recursively). */
function isKernels(path: string): boolean {
  let around = { point: '', type: '' };
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ');
    const point = plainText(fields[4] ?? '');
    const type = fields[fields.indexOf('-') + 1] ?? '';
    if (point === '') continue;
    if (isBeneath(path, point) && KERNEL_FILE_SYSTEMS.has(type)) return true;
    if (isBeneath(point, path) && point.length >= around.point.length) around = { point, type };
  }
  return KERNEL_FILE_SYSTEMS.has(around.type);
}

/** As mountinfo has blanks, newlines and backslashes (proc_pid_mountinfo(5)). */
function plainText(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/**
 * Whether a folder is a meeting point. No local socket can be opened in the sandbox, and no device be opened in what is bound
 * into it; a pipe with a name can be, and written to where all is read-only. So pipes are looked for in all that is granted for
 * reading; where a program may write, it may make one itself.
 */
function leadsOut(folder: string, access: OpenedPath['access']): boolean {
  const folders = [folder];
  let entries = 0;
  for (const [depth, at] of folders.entries()) {
    for (const entry of entriesOf(at)) {
      if (++entries > MAX_ENTRIES) return false;
      if (entry.isFIFO() && access === 'read') return true;
      if (depth === 0 && (entry.isSocket() || entry.isCharacterDevice() || entry.isBlockDevice()))
        return true;
      if (entry.isDirectory()) folders.push(join(at, entry.name));
    }
  }
  return false;
}

function* entriesOf(folder: string): Generator<Dirent> {
  try {
    const opened = opendirSync(folder, { bufferSize: 256 });
    try {
      for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) yield entry;
    } finally {
      opened.closeSync();
    }
  } catch {
    // A file, or a folder that cannot be listed.
  }
}
