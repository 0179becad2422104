import { canonicalize, type JsonObject, sha256 } from '../codec/index.ts';
import type { VerificationKey } from '../key/index.ts';
import { type Checkpoint, ED25519, formatVkey } from '../tlog/index.ts';
import { type Envelope, encodeBase64 } from './dsse.ts';

export const SIGSTORE_BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const TRUSTED_ROOT = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';

/** Entry type of Rekor v2 for a DSSE envelope. */
const KIND_VERSION = { kind: 'dsse', version: '0.0.2' };
const KEY_DETAILS = 'PKIX_ED25519';

/** A log and its key: what its vkey says. */
export interface NamedKey {
  readonly origin: string;
  readonly key: VerificationKey;
}

/** How Sigstore tools are told which key to use: name and key id of the vkey. */
export function keyHintOf({ origin, key }: NamedKey): string {
  return formatVkey(origin, key).split('+').slice(0, 2).join('+');
}

/**
 * The log entry for an envelope: a Rekor v2 `Entry` in JCS, with the digest of the payload, the signature and the key.
 * It commits to the statement without repeating it.
 */
export function formatEnvelopeEntry(envelope: Envelope, signer: VerificationKey): Uint8Array {
  const [{ sig }] = envelope.signatures;
  const payload = Buffer.from(envelope.payload, 'base64');
  const verifier = { publicKey: { rawBytes: encodeBase64(signer.toDer()) }, keyDetails: KEY_DETAILS };
  const entry: JsonObject = {
    kind: KIND_VERSION.kind,
    apiVersion: KIND_VERSION.version,
    spec: {
      dsseV002: {
        payloadHash: { algorithm: 'SHA2_256', digest: encodeBase64(sha256(payload)) },
        signatures: [{ content: sig, verifier }],
      },
    },
  };
  return Buffer.from(canonicalize(entry), 'utf8');
}

/** An entry of the attestation log with the proof that it is there. */
export interface LoggedEntry {
  readonly log: NamedKey;
  readonly body: Uint8Array;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  /** The signed note. */
  readonly note: string;
  /** What it says. */
  readonly checkpoint: Checkpoint;
}

/**
 * A Sigstore bundle v0.3 in its JSON form. It has neither a certificate nor a timestamp: nobody but the node vouches for
 * when something happened, and the receipt says that already.
 */
export function formatSigstoreBundle(envelope: Envelope, entry: LoggedEntry): JsonObject {
  const { log, body, index, proof, note, checkpoint } = entry;
  const [{ sig, keyid }] = envelope.signatures;
  return {
    mediaType: SIGSTORE_BUNDLE,
    verificationMaterial: {
      publicKey: { hint: keyid },
      tlogEntries: [
        {
          logIndex: String(index),
          logId: { keyId: logIdOf(log) },
          kindVersion: KIND_VERSION,
          inclusionProof: {
            logIndex: String(index),
            rootHash: encodeBase64(checkpoint.rootHash),
            treeSize: String(checkpoint.size),
            hashes: proof.map(encodeBase64),
            checkpoint: { envelope: note },
          },
          canonicalizedBody: encodeBase64(body),
        },
      ],
    },
    dsseEnvelope: {
      payload: envelope.payload,
      payloadType: envelope.payloadType,
      signatures: [{ sig, keyid }],
    },
  };
}

/** A Sigstore TrustedRoot that names one transparency log: whoever has it need not ask anybody else which to trust. */
export function formatTrustedRoot(log: NamedKey): JsonObject {
  return {
    mediaType: TRUSTED_ROOT,
    tlogs: [
      {
        // By its definition the origin of the checkpoint, not where to read from; verifiers look for the name in it.
        baseUrl: log.origin,
        hashAlgorithm: 'SHA2_256',
        publicKey: {
          rawBytes: encodeBase64(log.key.toDer()),
          keyDetails: KEY_DETAILS,
          validFor: { start: '1970-01-01T00:00:00Z' },
        },
        logId: { keyId: logIdOf(log) },
      },
    ],
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: [],
  };
}

/** The key id of signed-note before it is cut to four bytes. */
function logIdOf({ origin, key }: NamedKey): string {
  return encodeBase64(sha256(Buffer.from(`${origin}\n`), Uint8Array.of(ED25519), key.bytes));
}
