import {
  canonicalize,
  type Digest,
  digestOf,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type Assurance, isAssurance } from './assurance.ts';
import { type Component, compareComponents, componentLabel, isComponent } from './component.ts';
import { parseSupervision, type Supervision, supervisionJson } from './supervision.ts';
import { MAX_QUOTES, parseTpmQuote, type TpmQuote } from './tpm/tpm-quote.ts';

/** What was measured, once. Immutable. */
export interface Measurement {
  /** Unique by kind and name, sorted by them. */
  readonly components: readonly Component[];
  /** SHA-256 over `writ/environment@v1\n` and the JCS of `components` (spec/environment.md §2). */
  readonly digest: Digest;
  /** Whose word the components are. More than that is proven by quotes, or it does not count. */
  readonly assurance: Assurance;
  readonly measuredAtSeconds: number;
  /** Which boot of the machine it was measured in: no part of the digest, as its time is none. */
  readonly bootId?: string;
  /** What TPMs say about it. Nothing is believed before it is verified. */
  readonly quotes?: readonly TpmQuote[];
  /** What the supervisor saw of the process. Set by the governor alone; what it is worth is derived from it. */
  readonly supervision?: Supervision;
}

export const ENVIRONMENT_TAG = 'writ/environment@v1';
export const MEASUREMENT_TYPE = 'writ/measurement@v1';
/** The same with what is signed beside the digest: collectors, their times, the boot, quotes. */
export const MEASUREMENT_TYPE_2 = 'writ/measurement@v2';

/** Definitions of tools in one measurement: whoever lists tools for a runtime lists no more. */
export const MAX_TOOLS = 4096;
/** What else is measured of a runtime. */
export const MAX_MEASURED = 4096;
/** What the governor adds of its own: the policy in force, what a supervisor saw. */
const MAX_ADDED = 64;
const MAX_COMPONENTS = MAX_TOOLS + MAX_MEASURED + MAX_ADDED;
/** Of their JCS. */
const MAX_COMPONENT_BYTES = 4 * 1024 * 1024;
/** Of the tools among them: what else is measured has room in the rest. */
export const MAX_TOOL_BYTES = MAX_COMPONENT_BYTES / 2;
/** INVARIANT: what is made here is read again by replay: quotes have room in the rest. */
const MAX_MEASUREMENT_BYTES = 2 * MAX_COMPONENT_BYTES;
/** A UUID as Linux writes it. */
const BOOT_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isBootId(value: unknown): value is string {
  return typeof value === 'string' && BOOT_ID.test(value);
}

/**
 * A measurement of these components, in whatever order they come. Components are not parsed here: one that is malformed
 * or named twice, a time or a boot that is none, throws `TypeError`.
 */
export function measurementOf(
  components: Iterable<Component>,
  assurance: Assurance,
  measuredAtSeconds: number,
  bootId?: string,
): Measurement {
  const sorted = [...components].map(copyOf);
  const problem = findProblem(sorted, assurance, measuredAtSeconds);
  if (problem !== undefined) throw new TypeError(problem);
  if (bootId !== undefined && !isBootId(bootId)) throw new TypeError('measured in no boot');
  sorted.sort(compareComponents);
  for (const component of sorted) Object.freeze(component);
  const text = canonicalize(sorted.map(asJson));
  if (Buffer.byteLength(text) > MAX_COMPONENT_BYTES) throw new TypeError('too many bytes of components');
  return Object.freeze({
    components: Object.freeze(sorted),
    digest: digestOf(`${ENVIRONMENT_TAG}\n${text}`),
    assurance,
    measuredAtSeconds,
    ...(bootId === undefined ? {} : { bootId }),
  });
}

/** The same measurement, with what TPMs say about it. */
export function withQuotes(measurement: Measurement, quotes: readonly TpmQuote[]): Measurement {
  if (quotes.length > MAX_QUOTES) throw new TypeError(`more than ${MAX_QUOTES} quotes`);
  const { quotes: _former, ...bare } = measurement;
  return Object.freeze(quotes.length === 0 ? bare : { ...bare, quotes: Object.freeze([...quotes]) });
}

/** The same measurement, with what the supervisor saw of the process now. */
export function withSupervision(measurement: Measurement, supervision: Supervision | undefined): Measurement {
  const { supervision: _former, ...bare } = measurement;
  return Object.freeze(supervision === undefined ? bare : { ...bare, supervision });
}

/** The measurement as evidence bytes: the JCS of either type (spec/environment.md §2). */
export function serializeMeasurement(measurement: Measurement): Uint8Array {
  const { components, assurance, measuredAtSeconds, bootId, quotes, supervision } = measurement;
  const isPlain =
    bootId === undefined &&
    quotes === undefined &&
    supervision === undefined &&
    components.every(({ collector, at }) => collector === undefined && at === undefined);
  const json: JsonObject = {
    type: isPlain ? MEASUREMENT_TYPE : MEASUREMENT_TYPE_2,
    assurance,
    components: components.map((component) => ({ ...component })),
    measuredAt: measuredAtSeconds,
    ...(bootId === undefined ? {} : { bootId }),
    ...(quotes === undefined ? {} : { quotes: quotes.map((quote) => ({ ...quote })) }),
    ...(supervision === undefined ? {} : { supervision: supervisionJson(supervision) }),
  };
  return Buffer.from(canonicalize(json), 'utf8');
}

const statements = new WeakMap<Measurement, Digest>();

/** Digest of {@link serializeMeasurement}'s bytes: of all that is said, where `digest` is of the components alone. */
export function statementDigest(measurement: Measurement): Digest {
  const known = statements.get(measurement);
  if (known !== undefined) return known;
  const statement = digestOf(serializeMeasurement(measurement));
  statements.set(measurement, statement);
  return statement;
}

/** Parses {@link serializeMeasurement}'s bytes from an untrusted source. Denies with `environment.unmeasured`. */
export function parseMeasurement(bytes: Uint8Array): Measurement | Denial {
  const json = parseJsonObject(bytes, 'environment.unmeasured', {
    maxBytes: MAX_MEASUREMENT_BYTES,
    maxDepth: 5,
  });
  if (isDenial(json)) return json;
  const { type, assurance, components, measuredAt, bootId, quotes, supervision, ...unknown } = json;
  if (type !== MEASUREMENT_TYPE && type !== MEASUREMENT_TYPE_2) return refuse('is of another type');
  const isPlain = type === MEASUREMENT_TYPE;
  if (isPlain && (bootId !== undefined || quotes !== undefined || supervision !== undefined))
    return refuse('has unknown members');
  if (Object.keys(unknown).length > 0) return refuse('has unknown members');
  if (!isAssurance(assurance)) return refuse('has an unknown assurance');
  if (typeof measuredAt !== 'number') return refuse('has no time');
  if (bootId !== undefined && !isBootId(bootId)) return refuse('has a malformed boot');
  if (!Array.isArray(components)) return refuse('has no components');
  const parsed: Component[] = [];
  for (const value of components as readonly JsonValue[]) {
    if (!isJsonObject(value) || !hasComponentShape(value, isPlain))
      return refuse('has a malformed component');
    parsed.push(value);
  }
  const problem = findProblem(parsed, assurance, measuredAt);
  if (problem !== undefined) return refuse(`is invalid: ${problem}`);
  const measurement = measurementOf(parsed, assurance, measuredAt, bootId);
  const parsedQuotes = parseQuotes(quotes);
  if (parsedQuotes === undefined) return refuse('has malformed quotes');
  const quoted = withQuotes(measurement, parsedQuotes);
  if (supervision === undefined) return quoted;
  const parsedSupervision = parseSupervision(supervision);
  return parsedSupervision === undefined
    ? refuse('has a malformed supervision')
    : withSupervision(quoted, parsedSupervision);
}

function parseQuotes(json: JsonValue | undefined): readonly TpmQuote[] | undefined {
  if (json === undefined) return [];
  if (!Array.isArray(json) || json.length === 0 || json.length > MAX_QUOTES) return undefined;
  const quotes = (json as readonly JsonValue[]).map(parseTpmQuote);
  return quotes.every((quote) => quote !== undefined) ? quotes : undefined;
}

function refuse(problem: string): Denial {
  return deny('environment.unmeasured', `measurement ${problem}`);
}

function hasComponentShape(value: JsonObject, isPlain: boolean): value is JsonObject & Component {
  const { kind, name, digest, collector, at, ...unknown } = value;
  return (
    typeof kind === 'string' &&
    typeof name === 'string' &&
    typeof digest === 'string' &&
    (collector === undefined || (!isPlain && typeof collector === 'string')) &&
    (at === undefined || (!isPlain && typeof at === 'number')) &&
    Object.keys(unknown).length === 0
  );
}

function findProblem(
  components: readonly Component[],
  assurance: Assurance,
  measuredAtSeconds: number,
): string | undefined {
  if (!isAssurance(assurance)) return 'unknown assurance';
  if (!Number.isFinite(measuredAtSeconds) || measuredAtSeconds < 0) return 'measured at no time';
  if (components.length > MAX_COMPONENTS) return `more than ${MAX_COMPONENTS} components`;
  const labels = new Set<string>();
  for (const component of components) {
    if (!isComponent(component)) return 'malformed component';
    // A kind has no slash, so that no two components share a label.
    const label = componentLabel(component);
    if (labels.has(label)) return `component ${label} is named twice`;
    labels.add(label);
  }
  return undefined;
}

/** @returns the members that are known, each at most once, whatever it was made of. */
function copyOf({ kind, name, digest, collector, at }: Component): Component {
  return {
    ...{ kind, name, digest },
    ...(collector === undefined ? {} : { collector }),
    ...(at === undefined ? {} : { at }),
  };
}

/** What of a component enters the digest. */
function asJson({ kind, name, digest }: Component): JsonObject {
  return { kind, name, digest };
}
