import type { Digest } from '../codec/index.ts';
import type { Assurance, Vouched } from './assurance.ts';
import type { EnvironmentBinding } from './binding.ts';
import type { Measurement } from './measurement.ts';
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

/**
 * How far a measurement is proven here and now (spec/environment.md §6). Pure.
 *
 * INVARIANT: levels above `supervisor` are never taken from what a measurement says of itself: `tpm` takes a quote that
 * verifies against an enrolled TPM, is about these components, and is young enough; `tee` is proven by nothing yet.
 */
export function vouchFor(measurement: Measurement, context: VouchContext): Vouched {
  const { assurance, quotes = [], digest } = measurement;
  const claimed: Assurance = assurance === 'supervisor' ? 'supervisor' : 'self';
  let problem: string | undefined;
  for (const quote of quotes) {
    problem = findProblem(quote, digest, context);
    if (problem === undefined) return { assurance: 'tpm' };
  }
  return { assurance: claimed, ...(problem === undefined ? {} : { problem }) };
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
  const limit = bindings.reduce(
    (least, { maxAgeSeconds = least }) => Math.min(least, maxAgeSeconds),
    attester.maxAgeSeconds,
  );
  const ageSeconds = nowSeconds - quote.at;
  // Written so that NaN on any side denies.
  if (!(ageSeconds >= -MAX_FUTURE_SECONDS && ageSeconds <= limit)) return 'it is too old';
  return findTpmQuoteProblem(quote, attester, environment);
}

/** Whether artifacts with these bindings want a quote that names them. */
export function wantsOwnQuote(bindings: readonly EnvironmentBinding[]): boolean {
  return bindings.some(({ quoteFor }) => quoteFor === 'artifact');
}
