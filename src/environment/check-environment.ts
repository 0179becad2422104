import type { Digest } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { ASSURANCES, type Assurance, meetsAssurance } from './assurance.ts';
import { type Component, compareComponents, componentLabel } from './component.ts';
import type { Measurement } from './measurement.ts';

/** What a token demands of the runtime (`writ.environment`, spec/environment.md §3). Every member is a condition. */
export interface EnvironmentBinding {
  /** The measurement's digest is one of these. */
  readonly digests?: readonly Digest[];
  /** Each of these is measured, with this digest. */
  readonly components?: readonly Component[];
  readonly assurance?: Assurance;
  readonly maxAgeSeconds?: number;
}

/** A measurement this far in the future is a clock's error; further, nobody can tell how old it is. */
const MAX_FUTURE_SECONDS = 5;

/**
 * Whether the measured runtime meets every binding (stage 5). The bindings are a conjunction: their order, and the order
 * within their lists, changes nothing, the detail of the denial included.
 */
export function checkEnvironment(
  bindings: readonly EnvironmentBinding[],
  measurement: Measurement | undefined,
  nowSeconds: number,
): Denial | undefined {
  if (bindings.length === 0) return undefined;
  if (measurement === undefined) {
    return deny('environment.unmeasured', 'the artifact is bound to an environment and none was measured');
  }
  return (
    checkDigests(bindings, measurement) ??
    checkComponents(bindings, measurement) ??
    checkAssurance(bindings, measurement) ??
    checkAge(bindings, measurement, nowSeconds)
  );
}

function checkDigests(bindings: readonly EnvironmentBinding[], measurement: Measurement): Denial | undefined {
  const holds = bindings.every(
    ({ digests }) => digests === undefined || digests.includes(measurement.digest),
  );
  return holds
    ? undefined
    : deny('environment.mismatch', `measurement ${measurement.digest} is not one the artifact is bound to`);
}

function checkComponents(
  bindings: readonly EnvironmentBinding[],
  measurement: Measurement,
): Denial | undefined {
  const required = bindings.flatMap(({ components }) => components ?? []);
  if (required.length === 0) return undefined;
  const [failed] = required
    .filter((component) => findMeasured(component, measurement)?.digest !== component.digest)
    .sort(compareComponents);
  if (failed === undefined) return undefined;
  const code = failed.kind === 'tool' ? 'environment.tool_changed' : 'environment.mismatch';
  const how = findMeasured(failed, measurement) === undefined ? 'is not measured' : 'has another digest';
  return deny(code, `component ${componentLabel(failed)} ${how}`);
}

function findMeasured({ kind, name }: Component, { components }: Measurement): Component | undefined {
  return components.find((measured) => measured.kind === kind && measured.name === name);
}

function checkAssurance(
  bindings: readonly EnvironmentBinding[],
  { assurance }: Measurement,
): Denial | undefined {
  const unmet = bindings.flatMap(({ assurance: required }) =>
    required === undefined || meetsAssurance(assurance, required) ? [] : [required],
  );
  if (unmet.length === 0) return undefined;
  const strongest = ASSURANCES.findLast((candidate) => unmet.includes(candidate)) ?? 'unknown';
  return deny('environment.assurance_too_low', `assurance is ${assurance}, ${strongest} is required`);
}

function checkAge(
  bindings: readonly EnvironmentBinding[],
  { measuredAtSeconds }: Measurement,
  nowSeconds: number,
): Denial | undefined {
  const limits = bindings.flatMap(({ maxAgeSeconds }) =>
    maxAgeSeconds === undefined ? [] : [maxAgeSeconds],
  );
  if (limits.length === 0) return undefined;
  const ageSeconds = nowSeconds - measuredAtSeconds;
  const limit = limits.reduce((a, b) => Math.min(a, b));
  // Written so that NaN on any side denies.
  if (ageSeconds >= -MAX_FUTURE_SECONDS && ageSeconds <= limit) return undefined;
  return deny('environment.stale', `the measurement is not within ${limit} s of now`);
}
