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
  /** What TPMs say about it. Nothing is believed before it is verified. */
  readonly quotes?: readonly TpmQuote[];
}

export const ENVIRONMENT_TAG = 'writ/environment@v1';
export const MEASUREMENT_TYPE = 'writ/measurement@v1';
/** The same with what is signed beside the digest: collectors, their times, quotes. */
export const MEASUREMENT_TYPE_2 = 'writ/measurement@v2';

/** Definitions of tools in one measurement: whoever lists tools for a runtime lists no more. */
export const MAX_TOOLS = 4096;
/** What else is measured of a runtime. */
export const MAX_MEASURED = 4096;
const MAX_COMPONENTS = MAX_TOOLS + MAX_MEASURED;
/** Of their JCS. */
const MAX_COMPONENT_BYTES = 4 * 1024 * 1024;
/** INVARIANT: what is made here is read again by replay: quotes have room in the rest. */
const MAX_MEASUREMENT_BYTES = 2 * MAX_COMPONENT_BYTES;

/**
 * A measurement of these components, in whatever order they come. Components are not parsed here: one that is malformed
 * or named twice, or a time that is not one, throws `TypeError`.
 */
export function measurementOf(
  components: Iterable<Component>,
  assurance: Assurance,
  measuredAtSeconds: number,
): Measurement {
  const sorted = [...components].map(copyOf);
  const problem = findProblem(sorted, assurance, measuredAtSeconds);
  if (problem !== undefined) throw new TypeError(problem);
  sorted.sort(compareComponents);
  for (const component of sorted) Object.freeze(component);
  const text = canonicalize(sorted.map(asJson));
  if (Buffer.byteLength(text) > MAX_COMPONENT_BYTES) throw new TypeError('too many bytes of components');
  return Object.freeze({
    components: Object.freeze(sorted),
    digest: digestOf(`${ENVIRONMENT_TAG}\n${text}`),
    assurance,
    measuredAtSeconds,
  });
}

/** The same measurement, with what TPMs say about it. */
export function withQuotes(measurement: Measurement, quotes: readonly TpmQuote[]): Measurement {
  if (quotes.length > MAX_QUOTES) throw new TypeError(`more than ${MAX_QUOTES} quotes`);
  const { quotes: _former, ...bare } = measurement;
  return Object.freeze(quotes.length === 0 ? bare : { ...bare, quotes: Object.freeze([...quotes]) });
}

/** The measurement as evidence bytes: the JCS of either type (spec/environment.md §2). */
export function serializeMeasurement(measurement: Measurement): Uint8Array {
  const { components, assurance, measuredAtSeconds, quotes } = measurement;
  const isPlain =
    quotes === undefined &&
    components.every(({ collector, at }) => collector === undefined && at === undefined);
  const json: JsonObject = {
    type: isPlain ? MEASUREMENT_TYPE : MEASUREMENT_TYPE_2,
    assurance,
    components: components.map((component) => ({ ...component })),
    measuredAt: measuredAtSeconds,
    ...(quotes === undefined ? {} : { quotes: quotes.map((quote) => ({ ...quote })) }),
  };
  return Buffer.from(canonicalize(json), 'utf8');
}

/** Parses {@link serializeMeasurement}'s bytes from an untrusted source. Denies with `environment.unmeasured`. */
export function parseMeasurement(bytes: Uint8Array): Measurement | Denial {
  const json = parseJsonObject(bytes, 'environment.unmeasured', {
    maxBytes: MAX_MEASUREMENT_BYTES,
    maxDepth: 4,
  });
  if (isDenial(json)) return json;
  const { type, assurance, components, measuredAt, quotes, ...unknown } = json;
  if (type !== MEASUREMENT_TYPE && type !== MEASUREMENT_TYPE_2) return refuse('is of another type');
  const isPlain = type === MEASUREMENT_TYPE;
  if (isPlain && quotes !== undefined) return refuse('has unknown members');
  if (Object.keys(unknown).length > 0) return refuse('has unknown members');
  if (!isAssurance(assurance)) return refuse('has an unknown assurance');
  if (typeof measuredAt !== 'number') return refuse('has no time');
  if (!Array.isArray(components)) return refuse('has no components');
  const parsed: Component[] = [];
  for (const value of components as readonly JsonValue[]) {
    if (!isJsonObject(value) || !hasComponentShape(value, isPlain))
      return refuse('has a malformed component');
    parsed.push(value);
  }
  const problem = findProblem(parsed, assurance, measuredAt);
  if (problem !== undefined) return refuse(`is invalid: ${problem}`);
  const measurement = measurementOf(parsed, assurance, measuredAt);
  const parsedQuotes = parseQuotes(quotes);
  return parsedQuotes === undefined ? refuse('has malformed quotes') : withQuotes(measurement, parsedQuotes);
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
