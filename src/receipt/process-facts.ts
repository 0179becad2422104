import { isJsonObject, type JsonValue } from '../codec/index.ts';
import type { SaltedDigest } from './decision-receipt.ts';
import { saltedDigest } from './evidence-address.ts';

/** What a stream of a process carried; `not_counted` where the process wrote to it without anybody in between. */
export type StreamFacts<D> =
  | 'not_counted'
  | {
      readonly bytes: number;
      readonly digest: D;
      /** Set where the process ended before everything was passed on: there may have been more. */
      readonly partial?: true;
    };

/** A file that changed. Without digest: it was too large, or there were too many. */
export interface WrittenFile<D> {
  readonly path: D;
  readonly bytes: number;
  readonly digest?: D;
}

/** Files that changed beneath the paths a process was granted to write. */
export interface WrittenFacts<D> {
  readonly count: number;
  /** False where there was more to look through than is looked through. */
  readonly complete: boolean;
  /** The first of them, by path. */
  readonly files: readonly WrittenFile<D>[];
}

/** What a process did with the network at one destination; `*` for all that are not told apart. */
export type NetworkFacts = {
  /** `host:port`, as {@link RECORDED_DESTINATION} has it. */
  readonly to: string;
  /** Connections made, and refused. */
  readonly allowed: number;
  readonly refused: number;
  /** As the process sees it: what it sent, what it got. */
  readonly bytesOut: number;
  readonly bytesIn: number;
};

interface Facts<D> {
  /** As shells have it: 128 and the signal's number where one ended it. Absent where it did not end by itself. */
  readonly exitCode?: number;
  /** What Writ ended it with. */
  readonly signal?: 'SIGKILL';
  readonly memoryPeakBytes?: number;
  readonly cpuMs?: number;
  /** Set where the kernel killed for want of memory. */
  readonly outOfMemory?: true;
  /** Of one that was granted a network. */
  readonly network?: readonly NetworkFacts[];
  readonly stdout?: StreamFacts<D>;
  readonly stderr?: StreamFacts<D>;
  readonly written?: WrittenFacts<D>;
}

/**
 * How a process ended and what it used and left, all of its children counted in. Whole numbers. Paths, and digests of
 * contents (as `sha256:…`), are salted.
 */
export type ProcessFacts = Facts<SaltedDigest>;

/** The same as an enforcement point tells it: paths and digests as they are. */
export type ProcessReport = Facts<string>;

/** The most files of one report: a receipt has its bounds. */
export const MAX_WRITTEN_FILES = 64;

const MAX_DESTINATIONS = 128;
/** A host and a port, an address in brackets, the end of a name after `*.`, or `*`: nothing that a reader could take for more. */
export const RECORDED_DESTINATION = /^[a-z0-9_.:*[\]-]{1,259}$/;
const NETWORK_NUMBERS = ['allowed', 'refused', 'bytesOut', 'bytesIn'];

export function saltProcess(
  { stdout, stderr, written, ...rest }: ProcessReport,
  salt: Uint8Array,
): ProcessFacts {
  const salted = (text: string): SaltedDigest => saltedDigest(salt, text);
  const stream = (facts: StreamFacts<string>): StreamFacts<SaltedDigest> =>
    facts === 'not_counted' ? facts : { ...facts, digest: salted(facts.digest) };
  return {
    ...rest,
    ...(stdout === undefined ? {} : { stdout: stream(stdout) }),
    ...(stderr === undefined ? {} : { stderr: stream(stderr) }),
    ...(written === undefined
      ? {}
      : {
          written: {
            ...written,
            files: written.files.slice(0, MAX_WRITTEN_FILES).map(({ path, bytes, digest }) => ({
              path: salted(path),
              bytes,
              ...(digest === undefined ? {} : { digest: salted(digest) }),
            })),
          },
        }),
  };
}

export function isProcessFacts(value: JsonValue): boolean {
  return isJsonObject(value) && Object.entries(value).every(([name, fact]) => isFact(name, fact));
}

function isFact(name: string, fact: JsonValue): boolean {
  switch (name) {
    case 'outOfMemory':
      return fact === true;
    case 'signal':
      return fact === 'SIGKILL';
    case 'exitCode':
    case 'memoryPeakBytes':
    case 'cpuMs':
      return isCount(fact);
    case 'network':
      return Array.isArray(fact) && fact.length <= MAX_DESTINATIONS && fact.every(isNetworkFacts);
    case 'stdout':
    case 'stderr':
      return (
        fact === 'not_counted' ||
        (hasOnly(fact, ['bytes', 'digest', 'partial']) &&
          isCount(fact.bytes) &&
          typeof fact.digest === 'string' &&
          (fact.partial === undefined || fact.partial === true))
      );
    case 'written':
      return (
        hasOnly(fact, ['count', 'complete', 'files']) &&
        isCount(fact.count) &&
        typeof fact.complete === 'boolean' &&
        Array.isArray(fact.files) &&
        fact.files.length <= MAX_WRITTEN_FILES &&
        fact.files.every(
          (file: JsonValue) =>
            hasOnly(file, ['path', 'bytes', 'digest']) &&
            typeof file.path === 'string' &&
            isCount(file.bytes) &&
            (file.digest === undefined || typeof file.digest === 'string'),
        )
      );
    default:
      return false;
  }
}

function isNetworkFacts(facts: JsonValue): boolean {
  return (
    hasOnly(facts, ['to', ...NETWORK_NUMBERS]) &&
    typeof facts.to === 'string' &&
    RECORDED_DESTINATION.test(facts.to) &&
    NETWORK_NUMBERS.every((name) => isCount(facts[name]))
  );
}

function isCount(value: JsonValue | undefined): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function hasOnly(
  value: JsonValue,
  members: readonly string[],
): value is { readonly [member: string]: JsonValue } {
  return isJsonObject(value) && Object.keys(value).every((name) => members.includes(name));
}
