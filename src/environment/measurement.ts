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

/** What was measured, once. Immutable. */
export interface Measurement {
  /** Unique by kind and name, sorted by them. */
  readonly components: readonly Component[];
  /** SHA-256 over `writ/environment@v1\n` and the JCS of `components` (spec/environment.md §2). */
  readonly digest: Digest;
  readonly assurance: Assurance;
  readonly measuredAtSeconds: number;
}

export const ENVIRONMENT_TAG = 'writ/environment@v1';
export const MEASUREMENT_TYPE = 'writ/measurement@v1';

const MAX_COMPONENTS = 4096;
const MAX_MEASUREMENT_BYTES = 4 * 1024 * 1024;

/**
 * A measurement of these components, in whatever order they come. Components are not parsed here: one that is malformed
 * or named twice, or a time that is not one, throws `TypeError`.
 */
export function measurementOf(
  components: Iterable<Component>,
  assurance: Assurance,
  measuredAtSeconds: number,
): Measurement {
  const sorted = [...components].map(({ kind, name, digest }) => ({ kind, name, digest }));
  const problem = findProblem(sorted, assurance, measuredAtSeconds);
  if (problem !== undefined) throw new TypeError(problem);
  sorted.sort(compareComponents);
  for (const component of sorted) Object.freeze(component);
  return Object.freeze({
    components: Object.freeze(sorted),
    digest: digestOf(`${ENVIRONMENT_TAG}\n${canonicalize(sorted.map(asJson))}`),
    assurance,
    measuredAtSeconds,
  });
}

/** The measurement as evidence bytes: the JCS of {@link MEASUREMENT_TYPE} (spec/environment.md §2). */
export function serializeMeasurement({ components, assurance, measuredAtSeconds }: Measurement): Uint8Array {
  const json = {
    type: MEASUREMENT_TYPE,
    assurance,
    components: components.map(asJson),
    measuredAt: measuredAtSeconds,
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
  const { type, assurance, components, measuredAt, ...unknown } = json;
  if (type !== MEASUREMENT_TYPE) return refuse('is of another type');
  if (Object.keys(unknown).length > 0) return refuse('has unknown members');
  if (!isAssurance(assurance)) return refuse('has an unknown assurance');
  if (typeof measuredAt !== 'number') return refuse('has no time');
  if (!Array.isArray(components)) return refuse('has no components');
  const parsed: Component[] = [];
  for (const value of components as readonly JsonValue[]) {
    if (!isJsonObject(value) || !hasComponentShape(value)) return refuse('has a malformed component');
    parsed.push(value);
  }
  const problem = findProblem(parsed, assurance, measuredAt);
  return problem === undefined
    ? measurementOf(parsed, assurance, measuredAt)
    : refuse(`is invalid: ${problem}`);
}

function refuse(problem: string): Denial {
  return deny('environment.unmeasured', `measurement ${problem}`);
}

function hasComponentShape(value: JsonObject): value is JsonObject & Component {
  return (
    Object.keys(value).length === 3 &&
    typeof value.kind === 'string' &&
    typeof value.name === 'string' &&
    typeof value.digest === 'string'
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

function asJson({ kind, name, digest }: Component): JsonObject {
  return { kind, name, digest };
}
