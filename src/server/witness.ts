import { MlDsaSigningKey, type Signer } from '../key/index.ts';
import type { CosignedHead, WitnessState } from '../storage/index.ts';
import {
  judgeSubmission,
  type KnownLogs,
  noteCosigner,
  openSubmission,
  signatureLine,
  type WitnessRefusal,
} from '../tlog/index.ts';

/** How far the clock may be behind a cosignature of before, in seconds: steps of a time daemon, not a wrong year. */
const MAX_CLOCK_STEP_SECONDS = 300;

export interface WitnessOptions {
  readonly logs: KnownLogs;
  readonly state: WitnessState;
  /** Name of the witness's keys. */
  readonly name: string;
  /** Each signs what is cosigned, and all state the same time. */
  readonly signers: readonly (Signer | MlDsaSigningKey)[];
  /** Wall time in seconds. */
  readonly nowSeconds: () => number;
}

export interface Cosigned {
  readonly status: 200;
  readonly origin: string;
  readonly size: number;
  /** Signature lines, each with its newline. */
  readonly lines: string;
}

/** 503: the clock is wrong. */
type Refusal = WitnessRefusal | (Omit<WitnessRefusal, 'status'> & { readonly status: 503 });

export type WitnessAnswer = Cosigned | (Refusal & { readonly origin?: string; readonly size?: number });

/** Sees that logs only grow, and says so (C2SP tlog-witness). */
export class Witness {
  readonly #options: WitnessOptions;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  /**
   * Judges the body of `POST /add-checkpoint`. INVARIANT: the new head is durable before there is a cosignature of it, so
   * whatever becomes of this process, it never cosigns what does not extend it.
   *
   * @throws LogUnavailable when the state cannot be read or written: nothing was cosigned then.
   */
  add(body: Uint8Array): WitnessAnswer {
    const { logs, state, name, signers, nowSeconds } = this.#options;
    const submission = openSubmission(body, logs);
    if ('status' in submission) return submission;
    const { origin, head, text, hasExtensions } = submission;
    const able = signers.filter((signer) => !(hasExtensions && signer instanceof MlDsaSigningKey));
    if (able.length === 0) {
      return {
        status: 400,
        problem: 'this witness does not cosign extension lines',
        origin,
        size: head.size,
      };
    }
    const result = state.advance<Refusal>(origin, (known) => {
      const refusal = judgeSubmission(submission, known);
      if (refusal !== undefined) return refusal;
      const atSeconds = timeAfter(known, Math.floor(nowSeconds()));
      return atSeconds === undefined ? CLOCK_WENT_BACK : { ...head, atSeconds };
    });
    if ('status' in result) return { ...result, origin, size: head.size };
    const lines = able.map((signer) =>
      signatureLine(
        text,
        noteCosigner(name, signer, () => result.atSeconds),
      ),
    );
    return { status: 200, origin, size: head.size, lines: lines.join('') };
  }

  /** What was cosigned last for a log, as the log signed it. */
  head(origin: string): CosignedHead | undefined {
    return this.#options.logs.has(origin) ? this.#options.state.read(origin) : undefined;
  }

  get origins(): readonly string[] {
    return [...this.#options.logs.keys()];
  }
}

const CLOCK_WENT_BACK: Refusal = { status: 503, problem: 'the clock of this witness went back' };

/** A cosignature says "as of now this is the largest tree": a later one never states an earlier time. */
function timeAfter(known: CosignedHead | undefined, nowSeconds: number): number | undefined {
  if (known === undefined || nowSeconds >= known.atSeconds) return nowSeconds;
  return known.atSeconds - nowSeconds <= MAX_CLOCK_STEP_SECONDS ? known.atSeconds : undefined;
}
