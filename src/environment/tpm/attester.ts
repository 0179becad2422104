import { createHash } from 'node:crypto';
import { decodeBase64url } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { type AttestationKey, parseAttestationKey } from './attestation-key.ts';

/** A PCR of the SHA-256 bank and its value, 64 hexadecimal digits. */
export interface PcrValue {
  readonly index: number;
  readonly digest: string;
}

/**
 * Which boots count. `exact`: the one it was enrolled in; a reset asks for enrolling again. `later`: that one and those
 * after it, as long as the PCRs come out the same.
 */
export type EnrolledBoot = 'exact' | 'later';

/** A TPM as governance has enrolled it (spec/environment.md §6). */
export interface TpmRecord {
  /** TPMT_PUBLIC of the attestation key, base64url. */
  readonly key: string;
  /** Qualified name of that key, base64url: it says which endorsement key stands above it. */
  readonly qualifiedName: string;
  /** SHA-256 of the endorsement key's certificate and of the root that vouches for it, base64url. */
  readonly certificate: string;
  readonly root: string;
  readonly pcrs: readonly PcrValue[];
  readonly resetCount: number;
  readonly restartCount: number;
  readonly boot: EnrolledBoot;
  /** How long a quote counts after it was asked for. */
  readonly maxAgeSeconds: number;
  /** The TPM is a program: whoever runs it can make it say anything. */
  readonly simulator?: true;
}

/** The record, read. */
export interface TpmAttester {
  readonly key: AttestationKey;
  readonly qualifiedName: Buffer;
  readonly pcrs: readonly PcrValue[];
  /** What a quote of these PCRs must state: SHA-256 of their values one after the other. */
  readonly pcrDigest: Buffer;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly boot: EnrolledBoot;
  readonly maxAgeSeconds: number;
}

/** Debug and application PCRs can be reset by anybody who may use the TPM: they prove nothing. */
export const RESETTABLE_PCRS: readonly number[] = [16, 23];
export const PCR_COUNT = 24;

/** Reads a record whose form was checked, or says what is wrong with its key or PCRs. */
export function attesterOf(record: TpmRecord): TpmAttester | string {
  const area = decodeBase64url(record.key, 'environment.unmeasured');
  const qualifiedName = decodeBase64url(record.qualifiedName, 'environment.unmeasured');
  if (isDenial(area) || isDenial(qualifiedName)) return 'key or name are not base64url';
  const key = parseAttestationKey(area);
  if (typeof key === 'string') return key;
  const problem = findPcrProblem(record.pcrs.map(({ index }) => index));
  if (problem !== undefined) return problem;
  const { pcrs, resetCount, restartCount, boot, maxAgeSeconds } = record;
  return {
    ...{ key, qualifiedName, pcrs, pcrDigest: digestOfPcrs(pcrs) },
    ...{ resetCount, restartCount, boot, maxAgeSeconds },
  };
}

/** What is wrong with a choice of PCRs; undefined where nothing is. */
export function findPcrProblem(indices: readonly number[]): string | undefined {
  if (indices.length === 0) return 'no PCR is named';
  for (const [at, index] of indices.entries()) {
    if (!Number.isInteger(index) || index < 0 || index >= PCR_COUNT) return `there is no PCR ${index}`;
    if (RESETTABLE_PCRS.includes(index)) return `PCR ${index} can be reset by anybody`;
    if (at > 0 && index <= (indices[at - 1] ?? 0)) return 'PCRs are not ascending';
  }
  return undefined;
}

export function digestOfPcrs(pcrs: readonly PcrValue[]): Buffer {
  const hash = createHash('sha256');
  for (const { digest } of pcrs) hash.update(Buffer.from(digest, 'hex'));
  return hash.digest();
}
