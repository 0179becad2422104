import { z } from 'zod';
import {
  attesterOf,
  type Component,
  isComponentKind,
  isComponentName,
  PCR_COUNT,
  type TpmRecord,
} from '../environment/index.ts';
import { digest, thumbprint } from './event-fields.ts';

export interface EnvironmentEnrolledMembers {
  /** What it is called in this domain. */
  readonly name: string;
  /** Digest of the measurement it was enrolled with, and what that consisted of. */
  readonly digest: `sha256:${string}`;
  readonly components: readonly Component[];
  /** The TPM of the machine, where its quotes count. */
  readonly tpm?: TpmRecord;
}

export interface EnvironmentRetiredMembers {
  readonly name: string;
}

/** So many fit one entry, with names as long as they commonly are. */
export const MAX_ENROLLED_COMPONENTS = 256;
const MAX_AGE_SECONDS = 86_400;
const MAX_KEY_CHARACTERS = 1024;

const count = z.int().min(0).max(0xffff_ffff);
const base64url = z
  .string()
  .max(MAX_KEY_CHARACTERS)
  .regex(/^[A-Za-z0-9_-]+$/);

const tpm = z
  .strictObject({
    key: base64url,
    qualifiedName: base64url,
    certificate: thumbprint,
    root: thumbprint,
    pcrs: z
      .array(z.strictObject({ index: count, digest: z.string().regex(/^[0-9a-f]{64}$/) }))
      .min(1)
      .max(PCR_COUNT),
    resetCount: count,
    restartCount: count,
    boot: z.enum(['exact', 'later']),
    maxAgeSeconds: z.int().min(1).max(MAX_AGE_SECONDS),
    simulator: z.literal(true).exactOptional(),
  })
  // The schema sees spellings; whether it is a key that only a TPM has is for the key's own parser.
  .refine((record) => typeof attesterOf(record) !== 'string');

/** Local to the domain: letters, digits, dot, underscore and hyphen. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

export const ENVIRONMENT_EVENTS = {
  'environment.enrolled': {
    name,
    digest,
    components: z
      .array(
        z.strictObject({
          kind: z.custom<string>(isComponentKind),
          name: z.custom<string>(isComponentName),
          digest,
        }),
      )
      .max(MAX_ENROLLED_COMPONENTS),
    tpm: tpm.exactOptional(),
  },
  'environment.retired': { name },
};
