import type { Digest } from '../codec/index.ts';
import type { Assurance, Vouched } from './assurance.ts';
import type { EnvironmentBinding } from './binding.ts';
import type { Measurement } from './measurement.ts';
import { findSupervisionProblem } from './supervision.ts';
import type { TpmAttester } from './tpm/attester.ts';
import { findTpmQuoteProblem, type TpmQuote } from './tpm/tpm-quote.ts';

export interface VouchContext {
  readonly nowSeconds: number;
  /** The TPM enrolled under a name, in the governance state of the decision. */
  readonly findAttester: (name: string) => TpmAttester | undefined;
  /** The artifact that is used; undefined where it is not verified. */
  readonly artifact: Digest | undefined;
  readonly bindings: readonly EnvironmentBinding[];
}

/** A quote that was asked for this far in the future: a clock's error. */
const MAX_FUTURE_SECONDS = 5;
/** The supervisor looks again with every decision, at most so long after the last time. */
const MAX_LOOK_AGE_SECONDS = 10;

/**
 * How far a measurement is proven here and now (spec/environment.md §6, §7). Pure.
 *
 * INVARIANT: no level above `self` is taken from what a measurement says of itself: `supervisor` takes what the governor saw
 * of a process that it started, and that contradicts nothing; `tpm` a quote that verifies against an enrolled TPM, is about
 * these components, and is young enough; `tee` is proven by nothing yet.
 */
export function vouchFor(measurement: Measurement, context: VouchContext): Vouched {
  const { quotes = [], digest } = measurement;
  const supervised = supervisedBy(measurement, context);
  let problem: string | undefined;
  for (const quote of quotes) {
    problem = findProblem(quote, digest, context);
    if (problem === undefined) return { assurance: 'tpm', ...supervised };
  }
  const assurance: Assurance = supervised.supervised === undefined ? 'self' : 'supervisor';
  return { assurance, ...supervised, ...(problem === undefined ? {} : { problem }) };
}

function supervisedBy(
  measurement: Measurement,
  { nowSeconds, bindings }: VouchContext,
): Pick<Vouched, 'supervised' | 'supervisionProblem'> {
  const { supervision } = measurement;
  if (supervision === undefined) return {};
  const supervisionProblem = findSupervisionProblem(
    supervision,
    measurement.components,
    nowSeconds,
    tightestAge(bindings, MAX_LOOK_AGE_SECONDS),
  );
  return supervisionProblem === undefined ? { supervised: supervision.components } : { supervisionProblem };
}

function tightestAge(bindings: readonly EnvironmentBinding[], atMost: number): number {
  return bindings.reduce((least, { maxAgeSeconds = least }) => Math.min(least, maxAgeSeconds), atMost);
}

function findProblem(
  quote: TpmQuote,
  environment: Digest,
  { nowSeconds, findAttester, artifact, bindings }: VouchContext,
): string | undefined {
  const attester = findAttester(quote.attester);
  if (attester === undefined) return 'no TPM is enrolled under its name';
  if (quote.artifact !== undefined && quote.artifact !== artifact) return 'it is for another artifact';
  if (quote.artifact === undefined && wantsOwnQuote(bindings)) return 'it is not for this artifact alone';
  const limit = tightestAge(bindings, attester.maxAgeSeconds);
  const ageSeconds = nowSeconds - quote.at;
  // Written so that NaN on any side denies.
  if (!(ageSeconds >= -MAX_FUTURE_SECONDS && ageSeconds <= limit)) return 'it is too old';
  return findTpmQuoteProblem(quote, attester, environment);
}

/** Whether artifacts with these bindings want a quote that names them. */
export function wantsOwnQuote(bindings: readonly EnvironmentBinding[]): boolean {
  return bindings.some(({ quoteFor }) => quoteFor === 'artifact');
}
