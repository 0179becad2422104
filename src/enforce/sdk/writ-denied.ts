import type { Denial, ReasonCode } from '../../denial/index.ts';

/**
 * A call was denied, and did not run; or it was stopped, because what it ran under no longer stands (`wasStarted`).
 *
 * The message is fixed text, code and receipt: fit for a model to read. Why in detail stands in the receipt
 * (`writ receipt show ID`).
 */
export class WritDenied extends Error {
  override readonly name = 'WritDenied';
  readonly code: ReasonCode;
  /** Of the receipt; undefined where the enforcement point itself could not be opened. */
  readonly executionId: string | undefined;
  /** Whether the function had been started: then it may have taken effect. */
  readonly wasStarted: boolean;

  constructor(
    denial: Denial,
    options: { readonly executionId?: string; readonly wasStarted?: boolean; readonly message?: string } = {},
  ) {
    const { executionId, wasStarted = false, message } = options;
    const receipt = executionId === undefined ? '' : `, receipt ${executionId}`;
    super(
      message ??
        (wasStarted
          ? `Stopped by Writ: ${denial.reason.text} It may have taken effect. (${denial.code}${receipt})`
          : `Denied by Writ: ${denial.reason.text} (${denial.code}${receipt})`),
    );
    this.code = denial.code;
    this.executionId = executionId;
    this.wasStarted = wasStarted;
  }
}
