import { REASONS, type Reason, type ReasonCode } from './reason-codes.ts';

/** Details are for the receipt and the operator; they are bounded so that hostile input cannot fill the log. */
const MAX_DETAIL_CHARACTERS = 500;

/** The only negative answer there is. It is a value, not an exception. */
export class Denial {
  readonly code: ReasonCode;
  /** What exactly failed, for the receipt and the operator; never for the caller of a remote enforcement point. */
  readonly detail: string;

  constructor(code: ReasonCode, detail: string) {
    this.code = code;
    const bounded =
      detail.length <= MAX_DETAIL_CHARACTERS ? detail : `${detail.slice(0, MAX_DETAIL_CHARACTERS - 1)}…`;
    // A receipt that repeats the detail must have a canonical form, whatever a caller chose and wherever it was cut.
    this.detail = bounded.toWellFormed();
    Object.freeze(this);
  }

  /** Stage, fixed public text and status mappings of the code. */
  get reason(): Reason {
    return REASONS[this.code];
  }
}

/** Shorthand of `new Denial(code, detail)`, for parsers and checks that return `T | Denial`. */
export function deny(code: ReasonCode, detail: string): Denial {
  return new Denial(code, detail);
}

export function isDenial(value: unknown): value is Denial {
  return value instanceof Denial;
}
