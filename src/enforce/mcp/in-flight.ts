import type { JsonObject } from '../../codec/index.ts';
import type { RequestId } from './message.ts';
import type { EffectResult, Execution } from './ports.ts';

/** What ended a forwarded request without an answer. */
export type Interruption = 'timeout' | 'authority';

/**
 * A request on its way through the gateway. `upkeep` requests start out forwarded; governed ones are held while they
 * are decided, and their effect lasts from the moment they are forwarded until they are settled, once.
 */
export class InFlight<End> {
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
  readonly governed: boolean;
  /** The bytes to forward, kept only until they are. */
  line: Buffer | undefined;
  /** What this request costs to keep. */
  readonly bytes: number;
  state: 'deciding' | 'forwarded' | 'settled' = 'deciding';
  /** Its requester no longer wants an answer. */
  cancelled = false;
  answered = false;
  executionId: string | undefined;
  #resolve: ((result: EffectResult<End>) => void) | undefined;
  #release: (() => void) | undefined;

  constructor(id: RequestId, method: string, params: JsonObject, line: Buffer, governed: boolean) {
    this.id = id;
    this.method = method;
    this.params = params;
    this.line = line;
    this.bytes = line.byteLength;
    this.governed = governed;
    if (!governed) this.state = 'forwarded';
  }

  /**
   * Starts the effect: from here the request may have been seen.
   *
   * @param timeoutMs 0 waits for ever.
   * @param onInterruption must settle.
   */
  start(
    execution: Execution,
    timeoutMs: number,
    onInterruption: (interruption: Interruption, reason: unknown) => void,
  ): Promise<EffectResult<End>> {
    const { id, signal } = execution;
    this.state = 'forwarded';
    this.executionId = id;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      const onAbort = (): void => onInterruption('authority', signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const timer =
        timeoutMs === 0 ? undefined : setTimeout(() => onInterruption('timeout', undefined), timeoutMs);
      timer?.unref();
      this.#release = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
    });
  }

  /** Ends the effect. Only the first end counts. */
  settle(result: EffectResult<End>): void {
    if (this.state === 'settled') return;
    this.state = 'settled';
    this.#release?.();
    this.#resolve?.(result);
  }
}
