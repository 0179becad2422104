import { type Digest, isDigest, isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { type Component, isComponent } from './component.ts';

/**
 * What the supervisor, which is the governor's daemon, saw of a process that it started itself (spec/environment.md §7).
 * Facts, and no verdict: {@link findSupervisionProblem} derives that, when deciding and when replaying.
 *
 * It is written by the daemon alone into the measurement that is sealed with a decision, whose digest is in the receipt: the
 * log's signature is the supervisor's.
 */
export interface Supervision {
  /** Name under which the program is configured. */
  readonly program: string;
  readonly pid: number;
  /** When the kernel says it was started, clock ticks since boot: with `pid`, no other process of this boot. */
  readonly startTicks: number;
  /** Unix seconds: when it was last looked at. */
  readonly at: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the file that the kernel says it runs. */
  readonly image: Digest;
  /** Who traces it; 0: nobody. */
  readonly tracerPid: number;
  /** Namespaces it does not share with the supervisor, `mnt` and such. */
  readonly foreignNamespaces: readonly string[];
  /** What is not any more what it was before the start: `component/executable` and such, `program` where it called exec. */
  readonly changed: readonly string[];
  /** What a script that is run would be reported as: `upstream/<name>`. */
  readonly scriptName?: string;
  /** Kind `process`, measured before it was started. */
  readonly components: readonly Component[];
}

/** The kind that nobody but the supervisor measures. */
export const SUPERVISED_KIND = 'process';
export const SUPERVISOR_COLLECTOR = 'supervisor';

const MAX_SUPERVISED_COMPONENTS = 80;
const MAX_LISTED = 128;
/** A look this far in the future is a clock's error. */
const MAX_FUTURE_SECONDS = 5;

/**
 * Why a supervision does not count for a measurement; undefined where it does. Pure, and its text is fixed but for the names
 * of components.
 *
 * @param reported what the process says of itself.
 * @param maxAgeSeconds how long ago the process may have been looked at, by the tightest binding.
 */
export function findSupervisionProblem(
  supervision: Supervision,
  reported: readonly Component[],
  nowSeconds: number,
  maxAgeSeconds: number,
): string | undefined {
  const { image, changed, tracerPid, foreignNamespaces, at } = supervision;
  if (tracerPid !== 0) return 'the process is traced by another one';
  if (foreignNamespaces.length > 0) return `it is in another namespace (${foreignNamespaces.join(', ')})`;
  if (changed.length > 0) return `${changed.join(', ')} changed since before it was started`;
  const executable = componentOf(supervision, 'executable');
  if (executable === undefined) return 'its executable was not measured';
  if (executable !== image) return 'it runs another executable than was started';
  const ageSeconds = nowSeconds - at;
  // Written so that NaN on any side denies.
  if (!(ageSeconds >= -MAX_FUTURE_SECONDS && ageSeconds <= maxAgeSeconds)) {
    return 'the process was looked at too long ago';
  }
  return findContradiction(supervision, reported);
}

/** INVARIANT: where supervisor and process speak of one thing, they say the same, or the process is not believed at all. */
function findContradiction(supervision: Supervision, reported: readonly Component[]): string | undefined {
  const { image, scriptName } = supervision;
  const script = componentOf(supervision, 'script');
  for (const { kind, name, digest } of reported) {
    if (kind === SUPERVISED_KIND) return 'the process reports what only its supervisor measures';
    if (kind === 'node' && digest !== image) return 'the process reports another Node than it runs';
    const isScript = kind === 'upstream' && scriptName !== undefined && name === scriptName;
    if (isScript && digest !== script) return 'the process reports another script than it was started with';
  }
  return undefined;
}

function componentOf({ components }: Supervision, wanted: string): Digest | undefined {
  return components.find(({ name }) => name === wanted)?.digest;
}

/** Reads the supervision of a recorded measurement: its form alone. */
export function parseSupervision(json: JsonValue): Supervision | undefined {
  if (!isJsonObject(json)) return undefined;
  const { program, image, foreignNamespaces, changed, scriptName, components, ...numbers } = json;
  const { pid, startTicks, at, uid, gid, tracerPid, ...unknown } = numbers;
  if (Object.keys(unknown).length > 0) return undefined;
  if (typeof program !== 'string' || !isDigest(image)) return undefined;
  if (!isCount(pid) || !isCount(startTicks) || !isCount(at)) return undefined;
  if (!isCount(uid) || !isCount(gid) || !isCount(tracerPid)) return undefined;
  if (!isListing(foreignNamespaces) || !isListing(changed)) return undefined;
  if (scriptName !== undefined && typeof scriptName !== 'string') return undefined;
  if (!Array.isArray(components) || components.length > MAX_SUPERVISED_COMPONENTS) return undefined;
  const parsed = (components as readonly JsonValue[]).map(parseComponent);
  if (!parsed.every((component) => component !== undefined)) return undefined;
  return Object.freeze({
    ...{ program, pid, startTicks, at, uid, gid, image, tracerPid, foreignNamespaces, changed },
    ...(scriptName === undefined ? {} : { scriptName }),
    components: Object.freeze(parsed),
  });
}

/** As JSON, for the measurement that it is recorded in. */
export function supervisionJson({ components, ...facts }: Supervision): JsonObject {
  return { ...facts, components: components.map((component) => ({ ...component })) };
}

function parseComponent(json: JsonValue): Component | undefined {
  if (!isJsonObject(json)) return undefined;
  const { kind, name, digest, collector, at, ...unknown } = json;
  if (kind !== SUPERVISED_KIND || collector !== SUPERVISOR_COLLECTOR) return undefined;
  if (typeof name !== 'string' || !isDigest(digest) || !isCount(at)) return undefined;
  const component = { kind, name, digest, collector, at };
  return Object.keys(unknown).length === 0 && isComponent(component) ? component : undefined;
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isListing(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_LISTED && value.every((one) => typeof one === 'string');
}
