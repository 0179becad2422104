import type { JsonObject } from '../../codec/index.ts';
import { type Denial, deny, isReasonCode } from '../../denial/index.ts';

export interface DaemonAnswer {
  readonly status: number;
  readonly body: JsonObject;
}

/** The denial in a problem document (RFC 9457). A code that is not known here denies all the same. */
export function denialOf({ status, body }: DaemonAnswer): Denial {
  const detail = typeof body.detail === 'string' ? body.detail : `the daemon answered ${status}`;
  return isReasonCode(body.code) ? deny(body.code, detail) : deny('internal.unexpected', detail);
}
