import type { Component } from './component.ts';

/**
 * How a measurement is vouched for, weakest first: the runtime's own word; the word of a supervisor outside it; a TPM
 * quote; a trusted execution environment.
 */
export type Assurance = 'self' | 'supervisor' | 'tpm' | 'tee';

export const ASSURANCES: readonly Assurance[] = Object.freeze(['self', 'supervisor', 'tpm', 'tee']);

export function isAssurance(value: unknown): value is Assurance {
  return ASSURANCES.some((assurance) => assurance === value);
}

/** Whether `actual` is at least `required`. An unknown word on either side is not. */
export function meetsAssurance(actual: Assurance, required: Assurance): boolean {
  return isAssurance(required) && ASSURANCES.indexOf(actual) >= ASSURANCES.indexOf(required);
}

/**
 * Whether the demand is met. INVARIANT: `supervisor` asks about the process, of which a TPM's quote says nothing: it is met by a
 * supervisor's word alone, however well the machine is proven.
 */
export function meetsDemand({ assurance, supervised }: Vouched, required: Assurance): boolean {
  if (required === 'supervisor') return assurance === 'supervisor' || supervised !== undefined;
  return meetsAssurance(assurance, required);
}

/** How far a measurement is proven, and why not further. */
export interface Vouched {
  readonly assurance: Assurance;
  /** What is wrong with the quote that came closest. Fixed text. */
  readonly problem?: string;
  /** What the supervisor measured of the process, where its word counts. Kind `process`, which nobody else measures. */
  readonly supervised?: readonly Component[];
  /** Why the supervisor's word does not count, where it has one. Fixed text. */
  readonly supervisionProblem?: string;
}
