import { isJsonObject, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { actionSalt, type DecisionReceipt, saltedDigest } from '../../receipt/index.ts';
import type { LogReader } from '../../tlog/index.ts';
import { recordedActionOf } from './recorded-action.ts';

/** What can be shown of a call that waits for approval. */
export type ShownAction =
  /** The arguments are whole, and those that the request's digest stands for. */
  | { readonly kind: 'whole'; readonly args: JsonObject }
  /** Redaction rules kept these pointers out of the record; nobody can see or compare what stood there. */
  | { readonly kind: 'redacted'; readonly args: JsonObject; readonly hidden: readonly string[] }
  | { readonly kind: 'missing'; readonly why: string };

type EvidenceReader = Pick<LogReader, 'read'> & {
  readEvidence(address: string, key: Uint8Array): Uint8Array | undefined;
};

const MAX_REQUEST = { maxBytes: 16 * 1024 * 1024, maxDepth: 128 };

/** Unseals what was asked, and makes sure that it is what an approval of this request would be bound to. */
export function showAction(
  receipt: DecisionReceipt,
  reader: EvidenceReader,
  evidenceKey: Uint8Array,
): ShownAction {
  const address = receipt.evidence.request;
  const bytes = address === undefined ? undefined : reader.readEvidence(address, evidenceKey);
  if (bytes === undefined) return { kind: 'missing', why: 'what was asked has been withheld or erased' };
  const request = parseJsonObject(bytes, 'log.unavailable', MAX_REQUEST);
  if (isDenial(request)) return { kind: 'missing', why: 'what was asked cannot be read' };
  const { redacted } = request;
  if (Array.isArray(redacted)) {
    const hidden = redacted.filter((pointer) => typeof pointer === 'string');
    return isJsonObject(request.args) && !hidden.includes('')
      ? { kind: 'redacted', args: request.args, hidden }
      : { kind: 'missing', why: 'redaction rules kept all of the arguments out of the record' };
  }
  const action = recordedActionOf(receipt, request);
  if (action === undefined) return { kind: 'missing', why: 'what was asked cannot be read' };
  const { args, canonical } = action;
  return saltedDigest(actionSalt(evidenceKey, canonical), canonical) === receipt.approvals?.action
    ? { kind: 'whole', args }
    : { kind: 'missing', why: 'what is on record is not what an approval would be bound to' };
}
