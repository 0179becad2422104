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

/** How far a measurement is proven, and why not further. */
export interface Vouched {
  readonly assurance: Assurance;
  /** What is wrong with the quote that came closest. Fixed text. */
  readonly problem?: string;
}
