import { createHash } from 'node:crypto';
import type { Digest } from '../../codec/index.ts';
import { ALG } from './algorithms.ts';
import type { TpmAttester } from './attester.ts';
import { parseQuoteAttestation, type QuoteAttestation } from './quote-attestation.ts';
import { isSignedBy } from './quote-signature.ts';

/** Why a quote does not count. Fixed text: it goes into receipts. */
export const QUOTE_PROBLEMS = {
  signer: 'it is signed by another key',
  signature: 'its signature does not verify',
  data: 'it is not about this environment, or answers another nonce',
  pcrs: 'it quotes other PCRs than were enrolled',
  state: 'the PCRs are not as they were enrolled',
  clock: 'its clock is not safe',
  boot: 'the TPM was reset since it was enrolled',
} as const;

/** What a quote states of itself, unverified. */
export interface QuoteBytes {
  /** TPMS_ATTEST. */
  readonly attestation: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

const NONCE_BYTES = 32;

/**
 * What a quote must carry: SHA-256(nonce ‖ environment digest ‖ artifact digest), the last only where it is made for one
 * artifact. Every part is 32 bytes, so no two of them run together.
 */
export function qualifyingData(nonce: Uint8Array, environment: Digest, artifact?: Digest): Buffer {
  if (nonce.byteLength !== NONCE_BYTES) throw new TypeError('a nonce has 32 bytes');
  const hash = createHash('sha256').update(nonce).update(rawDigest(environment));
  if (artifact !== undefined) hash.update(rawDigest(artifact));
  return hash.digest();
}

/**
 * Whether a quote is the enrolled TPM's word on its PCRs as they were enrolled, about `expectedData` (spec/environment.md
 * §6). Pure. The signature is verified before anything signed is believed; how old the quote is is for who knows the time.
 *
 * @returns what is wrong with it; undefined where nothing is.
 */
export function findQuoteProblem(
  { attestation, signature }: QuoteBytes,
  attester: TpmAttester,
  expectedData: Uint8Array,
): string | undefined {
  if (!isSignedBy(attester.key, attestation, signature)) return QUOTE_PROBLEMS.signature;
  const quote = parseQuoteAttestation(attestation);
  if (typeof quote === 'string') return quote;
  if (!quote.qualifiedSigner.equals(attester.qualifiedName)) return QUOTE_PROBLEMS.signer;
  if (!quote.extraData.equals(expectedData)) return QUOTE_PROBLEMS.data;
  if (!quotesEnrolled(quote, attester)) return QUOTE_PROBLEMS.pcrs;
  if (!quote.pcrDigest.equals(attester.pcrDigest)) return QUOTE_PROBLEMS.state;
  if (!quote.isClockSafe) return QUOTE_PROBLEMS.clock;
  return isOfEnrolledBoot(quote, attester) ? undefined : QUOTE_PROBLEMS.boot;
}

function quotesEnrolled({ selections }: QuoteAttestation, { pcrs }: TpmAttester): boolean {
  const [selection] = selections;
  return (
    selections.length === 1 &&
    selection?.bank === ALG.sha256 &&
    selection.pcrs.length === pcrs.length &&
    pcrs.every(({ index }, at) => selection.pcrs[at] === index)
  );
}

/** Counts only grow: smaller ones are those of a TPM that was cleared, or of another. */
function isOfEnrolledBoot(quote: QuoteAttestation, attester: TpmAttester): boolean {
  const { resetCount, restartCount } = attester;
  if (quote.resetCount === resetCount) {
    return attester.boot === 'exact'
      ? quote.restartCount === restartCount
      : quote.restartCount >= restartCount;
  }
  return attester.boot === 'later' && quote.resetCount > resetCount;
}

function rawDigest(digest: Digest): Buffer {
  const bytes = Buffer.from(digest.slice('sha256:'.length), 'hex');
  if (bytes.byteLength !== 32) throw new TypeError('a digest has 32 bytes');
  return bytes;
}
