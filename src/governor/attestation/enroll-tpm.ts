import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type Denial, deny } from '../../denial/index.ts';
import {
  attesterOf,
  type EnrolledBoot,
  findPcrProblem,
  findQuoteProblem,
  makeCredential,
  parseAttestationKey,
  parseEndorsementKey,
  parseQuoteAttestation,
  qualifiedNameOf,
  Tpm2Tools,
  TpmFailure,
  type TpmRecord,
  verifyEndorsement,
} from '../../environment/index.ts';

export interface TpmEnrollment {
  readonly tcti: string;
  /** Persistent handle the attestation key is kept at. */
  readonly handle: string;
  readonly pcrs: readonly number[];
  readonly boot: EnrolledBoot;
  readonly maxAgeSeconds: number;
  /** DER. Makers that are trusted, and what stands between them and the TPM. */
  readonly roots: readonly Uint8Array[];
  readonly intermediates: readonly Uint8Array[];
  readonly nowMs: number;
  /** Whether a TPM may be a program: in a domain where nothing is at stake. */
  readonly allowsSimulator: boolean;
}

/** What PCRs a machine's firmware, boot loader and secure boot state are measured into. */
export const DEFAULT_PCRS: readonly number[] = [0, 1, 2, 3, 4, 7];

const SECRET_BYTES = 32;

/**
 * Makes an attestation key in a TPM and establishes that it is in there: its maker vouches for the endorsement key, and what
 * is sealed to that key and to the name of the attestation key comes back open. Then takes the PCRs as they are, as a
 * quote states them.
 */
export async function enrollTpm(enrollment: TpmEnrollment): Promise<TpmRecord | Denial> {
  const problem = findPcrProblem(enrollment.pcrs);
  if (problem !== undefined) return deny('request.malformed', problem);
  try {
    return await Tpm2Tools.with(enrollment.tcti, (tpm) => enrollWith(tpm, enrollment));
  } catch (error) {
    if (error instanceof TpmFailure) return refuse(error.message);
    throw error;
  }
}

async function enrollWith(
  tpm: Tpm2Tools,
  { handle, pcrs: indices, boot, maxAgeSeconds, roots, intermediates, nowMs, allowsSimulator }: TpmEnrollment,
): Promise<TpmRecord | Denial> {
  const { publicArea: endorsementArea, certificate } = await tpm.readEndorsement();
  const endorsement = parseEndorsementKey(endorsementArea);
  if (typeof endorsement === 'string') return refuse(endorsement);
  if (certificate === undefined) return refuse('the TPM holds no certificate of its endorsement key');
  const vouch = verifyEndorsement(certificate, endorsement, { roots, intermediates }, nowMs);
  if (typeof vouch === 'string') return refuse(vouch);
  // Before anything in the TPM is changed.
  if (vouch.isSimulator && !allowsSimulator) {
    return refuse('it is a program, and whoever runs it can make it say anything');
  }

  const area = await tpm.createAttestationKey(handle);
  const key = parseAttestationKey(area);
  if (typeof key === 'string') return refuse(key);
  const secret = randomBytes(SECRET_BYTES);
  const opened = await tpm.activateCredential(handle, makeCredential(endorsement, key.name, secret));
  if (opened.byteLength !== SECRET_BYTES || !timingSafeEqual(opened, secret)) {
    return refuse('the TPM of the endorsement key does not hold the attestation key');
  }

  const data = randomBytes(SECRET_BYTES);
  const quote = await tpm.quote(handle, indices, data);
  const stated = parseQuoteAttestation(quote.attestation);
  if (typeof stated === 'string') return refuse(`its quote does not count: ${stated}`);
  const record: TpmRecord = {
    key: Buffer.from(area).toString('base64url'),
    qualifiedName: qualifiedNameOf(endorsement.qualifiedName, key.name).toString('base64url'),
    certificate: vouch.certificate,
    root: vouch.root,
    pcrs: await tpm.readPcrs(indices),
    resetCount: stated.resetCount,
    restartCount: stated.restartCount,
    boot,
    maxAgeSeconds,
    ...(vouch.isSimulator ? { simulator: true } : {}),
  };
  const attester = attesterOf(record);
  if (typeof attester === 'string') return refuse(attester);
  // Values read without a signature are those that the quote signs, or it does not verify.
  const problem = findQuoteProblem(quote, attester, data);
  return problem === undefined ? record : refuse(`its quote does not count: ${problem}`);
}

function refuse(problem: string): Denial {
  return deny('environment.unmeasured', `the TPM cannot be enrolled: ${problem}`);
}
