import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { canonicalize, type Digest, digestOf, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { CONFINEMENT_LAYERS, type Component, type ConfinementLayer } from '../../environment/index.ts';
import { type CanaryReport, runCanaries } from './canaries.ts';
import type { Confiner } from './confiner.ts';
import { inheritedDescriptors } from './inherited-descriptors.ts';
import { readText } from './process-table.ts';
import { isChangeableByOthers } from './program-place.ts';

/** What holds is taken to hold for so long, where nothing that it hangs on has changed. */
export const KEPT_SECONDS = 60;

const TYPE = 'writ/canaries@v1';
const MAX_BYTES = 4096;

export interface KeptCanaries {
  /** In a folder that belongs to the account alone. */
  readonly file: string;
  /** Writ itself, measured: what its code does with the chain is in there. */
  readonly enforcer: readonly Component[];
  readonly clock?: CanaryClock;
}

export interface CanaryClock {
  /** Unix milliseconds. */
  wallMs(): number;
  /** Since the machine started, suspended or not. */
  upMs(): number;
}

const CLOCK: CanaryClock = {
  wallMs: () => Date.now(),
  upMs: () => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000,
};

/**
 * Runs the canaries, unless they ran within the last minute and every layer held, with the same Writ, by the same
 * programs (by their bytes), for the same accounts, in the same namespaces, mounts, limits and settings of the same
 * kernel. INVARIANT: only what holds is kept, by and for one account: a layer that leaks or is absent is tried each time,
 * and what others can write is as good as nothing.
 *
 * @returns with the Unix seconds at which they ran: what is kept makes no measurement younger.
 */
export async function runCanariesUnlessKept(
  confiner: Confiner,
  { file, enforcer, clock = CLOCK }: KeptCanaries,
): Promise<CanaryReport & { readonly atSeconds: number }> {
  const now = { wallMs: clock.wallMs(), upMs: clock.upMs() };
  const on = groundOf(confiner, enforcer);
  const keptMs = recall(file, on, now);
  if (keptMs !== undefined) return { states: ALL_HOLD, atSeconds: Math.floor(keptMs / 1000) };
  const report = await runCanaries(confiner);
  if (
    report.problem === undefined &&
    CONFINEMENT_LAYERS.every((layer) => report.states.get(layer) === 'holds')
  ) {
    // As of before they ran; and what changed meanwhile was perhaps not tried.
    if (groundOf(confiner, enforcer) === on) keep(file, { type: TYPE, on, ...now });
  }
  return { ...report, atSeconds: Math.floor(now.wallMs / 1000) };
}

const ALL_HOLD: CanaryReport['states'] = new Map<ConfinementLayer, 'holds'>(
  CONFINEMENT_LAYERS.map((layer) => [layer, 'holds']),
);

/** Everything that what the canaries find hangs on. */
function groundOf({ bubblewrap, prlimit, account }: Confiner, enforcer: readonly Component[]): Digest {
  return digestOf(
    canonicalize({
      type: TYPE,
      boot: readText('/proc/sys/kernel/random/boot_id'),
      chain: [bubblewrap, prlimit].map(({ path, digest }) => ({ path, digest, file: identityOf(path) })),
      linked: ['/bin/sh', '/etc/ld.so.preload', '/etc/ld.so.cache'].map(identityOf),
      enforcer: enforcer.map(({ kind, name, digest }) => ({ kind, name, digest })),
      account: account === undefined ? 'own' : `${account.uid}:${account.gid}`,
      status: readText('/proc/self/status')
        .split('\n')
        .filter((line) => OWN_STATUS.test(line)),
      security: readText('/proc/self/attr/current'),
      limits: readText('/proc/self/limits'),
      groups: readText('/proc/self/cgroup'),
      mounts: readText('/proc/self/mountinfo'),
      namespaces: NAMESPACES.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)),
      settings: SETTINGS.map((name) => readText(`/proc/sys/${name}`)),
      inherited: [...inheritedDescriptors()],
    }),
  );
}

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
const OWN_STATUS = /^(?:Uid|Gid|Groups|Cap[A-Za-z]+|NoNewPrivs|Seccomp(?:_filters)?):/;
/** They say who may have namespaces of their own, and what others may do to processes. */
const SETTINGS = [
  'user/max_user_namespaces',
  'kernel/unprivileged_userns_clone',
  'kernel/apparmor_restrict_unprivileged_userns',
  'kernel/yama/ptrace_scope',
];

/** What changes with every change to a file, its bytes or its place. */
function identityOf(path: string): string {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (status === undefined) return 'none';
  const { dev, ino, size, mode, uid, mtimeNs, ctimeNs } = status;
  return [dev, ino, size, mode, uid, mtimeNs, ctimeNs].join(':');
}

interface Instant {
  readonly wallMs: number;
  readonly upMs: number;
}

/** When they ran, in Unix milliseconds, where that still counts. */
function recall(path: string, on: Digest, now: Instant): number | undefined {
  const kept = readOwn(path);
  if (kept === undefined || kept.type !== TYPE || kept.on !== on) return undefined;
  const { wallMs, upMs } = kept;
  // On both clocks: one that was set back makes nothing younger.
  const isFresh = (then: unknown, at: number): boolean =>
    typeof then === 'number' && then <= at && at - then < KEPT_SECONDS * 1000;
  return typeof wallMs === 'number' && isFresh(wallMs, now.wallMs) && isFresh(upMs, now.upMs)
    ? wallMs
    : undefined;
}

function readOwn(path: string): JsonObject | undefined {
  let file: number | undefined;
  try {
    const own = [process.geteuid?.()];
    if (isChangeableByOthers(lstatSync(dirname(path)), own)) return undefined;
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = fstatSync(file);
    if (!status.isFile() || status.size > MAX_BYTES || (status.mode & 0o077) !== 0) return undefined;
    if (isChangeableByOthers(status, own)) return undefined;
    const json = parseJsonObject(readFileSync(file), 'environment.unmeasured', { maxBytes: MAX_BYTES });
    return isDenial(json) ? undefined : json;
  } catch {
    // None kept yet.
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Failing to is no fault: the next process runs them again. */
function keep(path: string, kept: JsonObject): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, canonicalize(kept), { mode: 0o600, flag: 'wx' });
    renameSync(temporary, path);
  } catch {
    // The folder may be read-only.
  }
}
