import { type ReasonCode, STAGES, type Stage } from '../../src/denial/index.ts';

/** What each stage would say, were it asked alone. */
export type Opinions = Readonly<Record<Stage, 'pass' | ReasonCode>>;

/**
 * The decision, written once and obviously right: stages speak in order, the first that does not pass denies, and only
 * when all of them pass is the answer permit.
 */
export function referenceDecision(opinions: Opinions): 'permit' | ReasonCode {
  for (const stage of STAGES) {
    const opinion = opinions[stage];
    if (opinion !== 'pass') return opinion;
  }
  return 'permit';
}
