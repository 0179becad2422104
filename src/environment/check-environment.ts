import { type Denial, deny } from '../denial/index.ts';
import { ASSURANCES, type Assurance, meetsDemand, type Vouched } from './assurance.ts';
import type { EnvironmentBinding } from './binding.ts';
import { type Component, compareComponents, componentLabel } from './component.ts';
import type { Measurement } from './measurement.ts';
import { SUPERVISED_KIND } from './supervision.ts';

/** A measurement this far in the future is a clock's error; further, nobody can tell how old it is. */
const MAX_FUTURE_SECONDS = 5;

/**
 * Whether the measured runtime meets every binding (stage 5). The bindings are a conjunction: their order, and the order
 * within their lists, changes nothing, the detail of the denial included.
 *
 * @param vouched how far the measurement is proven; its own word by default.
 */
export function checkEnvironment(
  bindings: readonly EnvironmentBinding[],
  measurement: Measurement | undefined,
  nowSeconds: number,
  vouched: Vouched | undefined = measurement,
): Denial | undefined {
  if (bindings.length === 0) return undefined;
  if (measurement === undefined) {
    return deny('environment.unmeasured', 'the artifact is bound to an environment and none was measured');
  }
  const proven = vouched ?? measurement;
  return (
    checkDigests(bindings, measurement) ??
    checkComponents(bindings, measurement, proven) ??
    checkAssurance(bindings, proven) ??
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
  proven: Vouched,
): Denial | undefined {
  const required = bindings.flatMap(({ components }) => components ?? []);
  if (required.length === 0) return undefined;
  const [failed] = required
    .filter((component) => findMeasured(component, measurement, proven)?.digest !== component.digest)
    .sort(compareComponents);
  if (failed === undefined) return undefined;
  const code = failed.kind === 'tool' ? 'environment.tool_changed' : 'environment.mismatch';
  const how =
    findMeasured(failed, measurement, proven) === undefined ? 'is not measured' : 'has another digest';
  const isUnseen = failed.kind === SUPERVISED_KIND && proven.supervised === undefined;
  const why = isUnseen ? whyUnsupervised(proven) : '';
  return deny(code, `component ${componentLabel(failed)} ${how}${why}`);
}

/** INVARIANT: kind `process` is what a supervisor measured, and counts where its word does; no process reports it of itself. */
function findMeasured(
  { kind, name }: Component,
  { components }: Measurement,
  { supervised = [] }: Vouched,
): Component | undefined {
  const measuredBy = kind === SUPERVISED_KIND ? supervised : components;
  return measuredBy.find((measured) => measured.kind === kind && measured.name === name);
}

function checkAssurance(bindings: readonly EnvironmentBinding[], vouched: Vouched): Denial | undefined {
  const { assurance } = vouched;
  const unmet = bindings
    .flatMap(({ assurance: required, quoteFor }): Assurance[] => [
      ...(required === undefined ? [] : [required]),
      // Whoever wants a quote of its own wants a quote.
      ...(quoteFor === undefined ? [] : (['tpm'] as const)),
    ])
    .filter((required) => !meetsDemand(vouched, required));
  if (unmet.length === 0) return undefined;
  const strongest = ASSURANCES.findLast((candidate) => unmet.includes(candidate)) ?? 'unknown';
  const why = strongest === 'supervisor' ? whyUnsupervised(vouched) : whyUnquoted(vouched);
  return deny('environment.assurance_too_low', `assurance is ${assurance}, ${strongest} is required${why}`);
}

function whyUnquoted({ problem }: Vouched): string {
  return problem === undefined ? '' : `: the TPM's quote does not count, ${problem}`;
}

function whyUnsupervised({ supervisionProblem }: Vouched): string {
  return supervisionProblem === undefined
    ? ': no supervisor started this process, or it is gone'
    : `: the supervisor's word does not count, ${supervisionProblem}`;
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
