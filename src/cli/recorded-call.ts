import type { Confiner, ExecAsk, ExecOutcome, Program } from '../enforce/exec/index.ts';
import type { Home } from '../governor/index.ts';
import type { StoredProgram } from './program-file.ts';
import type { RecordedRun } from './recorded-run.ts';
import type { ThrowawayDomain } from './throwaway-domain.ts';

/** What a proposal is made from. */
export interface Recorded {
  readonly domain: ThrowawayDomain;
  /** The real one. */
  readonly home: Home | undefined;
  readonly excluded: readonly string[];
  readonly name: string;
  readonly program: Program;
  readonly stored: StoredProgram | undefined;
  readonly confiner: Confiner;
  readonly ask: ExecAsk;
  readonly run: RecordedRun & { readonly outcome: Extract<ExecOutcome, { verdict: 'permit' }> };
  readonly agent: string | undefined;
  readonly purpose: string;
  readonly stdinDigest: string | undefined;
}
