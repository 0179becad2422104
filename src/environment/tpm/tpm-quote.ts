import { type Digest, decodeBase64url, isDigest, isJsonObject, type JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { TpmAttester } from './attester.ts';
import { findQuoteProblem, qualifyingData } from './verify-quote.ts';

/** A quote with what it answers, as a measurement carries it (spec/environment.md §6). */
export interface TpmQuote {
  /** Name under which the TPM is enrolled. */
  readonly attester: string;
  /** 32 bytes that the governor chose, base64url. */
  readonly nonce: string;
  /** Unix seconds: when it chose them. A quote is no older than that. */
  readonly at: number;
  /** Digest of the artifact it was made for, where it was made for one. */
  readonly artifact?: Digest;
  /** TPMS_ATTEST and TPMT_SIGNATURE, base64url. */
  readonly attestation: string;
  readonly signature: string;
}

/** In one measurement: one for the environment, the others for artifacts that ask for their own. */
export const MAX_QUOTES = 33;
const MAX_NAME_CHARACTERS = 64;
const MAX_PART_CHARACTERS = 2048;
const NONCE = /^[A-Za-z0-9_-]{43}$/;

/** Reads a quote of an untrusted measurement: its form alone. */
export function parseTpmQuote(json: JsonValue): TpmQuote | undefined {
  if (!isJsonObject(json)) return undefined;
  const { attester, nonce, at, artifact, attestation, signature, ...unknown } = json;
  if (Object.keys(unknown).length > 0) return undefined;
  if (typeof attester !== 'string' || attester.length > MAX_NAME_CHARACTERS) return undefined;
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return undefined;
  if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return undefined;
  if (artifact !== undefined && !isDigest(artifact)) return undefined;
  if (typeof attestation !== 'string' || attestation.length > MAX_PART_CHARACTERS) return undefined;
  if (typeof signature !== 'string' || signature.length > MAX_PART_CHARACTERS) return undefined;
  return { attester, nonce, at, attestation, signature, ...(artifact === undefined ? {} : { artifact }) };
}

/** Answers by quote and attester: verifying one costs a signature, and the same one comes back with every decision. */
const answers = new WeakMap<TpmQuote, WeakMap<TpmAttester, Map<Digest, string | undefined>>>();

/**
 * What is wrong with a quote about an environment, all but its age; undefined where nothing is. Remembered, so that it is
 * verified once: quotes and attesters never change.
 */
export function findTpmQuoteProblem(
  quote: TpmQuote,
  attester: TpmAttester,
  environment: Digest,
): string | undefined {
  const byAttester = answers.get(quote) ?? new WeakMap<TpmAttester, Map<Digest, string | undefined>>();
  const byEnvironment = byAttester.get(attester) ?? new Map<Digest, string | undefined>();
  if (byEnvironment.has(environment)) return byEnvironment.get(environment);
  const problem = examine(quote, attester, environment);
  byEnvironment.set(environment, problem);
  byAttester.set(attester, byEnvironment);
  answers.set(quote, byAttester);
  return problem;
}

function examine(quote: TpmQuote, attester: TpmAttester, environment: Digest): string | undefined {
  const nonce = bytesOf(quote.nonce);
  const attestation = bytesOf(quote.attestation);
  const signature = bytesOf(quote.signature);
  if (nonce?.byteLength !== 32 || attestation === undefined || signature === undefined) {
    return 'it is not base64url';
  }
  const expected = qualifyingData(nonce, environment, quote.artifact);
  return findQuoteProblem({ attestation, signature }, attester, expected);
}

function bytesOf(text: string): Buffer | undefined {
  const bytes = decodeBase64url(text, 'environment.unmeasured');
  return isDenial(bytes) ? undefined : bytes;
}
