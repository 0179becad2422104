import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import type { Signer, VerificationKey } from '../key/index.ts';

/** Payload type of an in-toto Statement. */
export const IN_TOTO = 'application/vnd.in-toto+json';

/** A DSSE envelope with one signature; byte strings are padded base64. */
export interface Envelope {
  readonly payload: string;
  readonly payloadType: typeof IN_TOTO;
  readonly signatures: readonly [{ readonly sig: string; readonly keyid: string }];
}

/** @param keyid says which key to try; nothing authenticates it. */
export function signEnvelope(payload: Uint8Array, signer: Signer, keyid: string): Envelope {
  const sig = signer.sign(preAuthEncoding(payload));
  return {
    payload: encodeBase64(payload),
    payloadType: IN_TOTO,
    signatures: [{ sig: encodeBase64(sig), keyid }],
  };
}

/** The payload of an envelope from an untrusted source, if it holds an in-toto Statement that this key signed. */
export function openEnvelope(value: JsonValue | undefined, key: VerificationKey): Uint8Array | Denial {
  if (!isJsonObject(value)) return deny('request.malformed', 'there is no DSSE envelope');
  if (value.payloadType !== IN_TOTO)
    return deny('request.malformed', 'the envelope holds no in-toto Statement');
  const payload = decodeBase64(value.payload);
  const sig = decodeBase64(soleSignature(value)?.sig);
  if (payload === undefined || sig === undefined)
    return deny('request.malformed', 'the envelope is malformed');
  return key.verify(preAuthEncoding(payload), sig)
    ? payload
    : deny('log.unavailable', 'the signature of the envelope does not verify');
}

/** Padded base64 (RFC 4648 §4), as JSON forms of protobuf messages have it. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** A second signature would be one that nobody checks. */
function soleSignature({ signatures }: JsonObject): JsonObject | undefined {
  if (!Array.isArray(signatures) || signatures.length !== 1) return undefined;
  const [signature] = signatures;
  return isJsonObject(signature) ? signature : undefined;
}

function decodeBase64(text: JsonValue | undefined): Uint8Array | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/**
 * PAE (DSSE v1, "Signature Definition"). INVARIANT: it begins with `DSSEv1 `, which no checkpoint and no other text that
 * a log's key signs does, since an origin has no space: one signature is never taken for another.
 */
function preAuthEncoding(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`DSSEv1 ${IN_TOTO.length} ${IN_TOTO} ${payload.byteLength} `), payload]);
}
