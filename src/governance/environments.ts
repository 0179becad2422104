import type { Digest } from '../codec/index.ts';
import { attesterOf, type Component, type TpmAttester, type TpmRecord } from '../environment/index.ts';
import type { EnvironmentEnrolled, EnvironmentRetired } from './event.ts';
import type { VersionedMap } from './versioned-map.ts';

/** An environment as an operator knew it. */
export interface EnrolledEnvironment {
  readonly name: string;
  readonly digest: Digest;
  readonly components: readonly Component[];
  readonly tpm?: TpmRecord;
  /** The TPM, read. */
  readonly attester?: TpmAttester;
  readonly atSeconds: number;
  readonly actor: string;
  readonly isRetired: boolean;
}

/** Names that no real domain has (RFC 2606, RFC 6761). */
const TEST_DOMAIN = /(?:^|\.)(?:test|example|invalid|localhost)$/;

/** Whether simulated TPMs count: nowhere but where nothing is at stake. */
export function isTestDomain(domain: string | undefined): boolean {
  return domain !== undefined && TEST_DOMAIN.test(domain);
}

/** Enrolling a name again replaces what it stood for. */
export function environmentEnrolment(
  environments: VersionedMap<EnrolledEnvironment>,
  { name, digest, components, tpm, at, actor }: EnvironmentEnrolled,
  domain: string | undefined,
): (() => VersionedMap<EnrolledEnvironment>) | string {
  if (tpm?.simulator === true && !isTestDomain(domain)) {
    return 'a simulated TPM counts in trust domains under .test, .example, .invalid and .localhost alone';
  }
  const attester = tpm && attesterOf(tpm);
  if (typeof attester === 'string') throw new TypeError(attester);
  return () =>
    environments.with(
      name,
      Object.freeze({
        ...{ name, digest, components, atSeconds: at, actor, isRetired: false },
        ...(tpm === undefined || attester === undefined ? {} : { tpm, attester }),
      }),
    );
}

export function environmentRetirement(
  environments: VersionedMap<EnrolledEnvironment>,
  { name }: EnvironmentRetired,
): (() => VersionedMap<EnrolledEnvironment>) | string {
  const enrolled = environments.get(name);
  if (enrolled === undefined || enrolled.isRetired) return 'no such environment is enrolled';
  return () => environments.with(name, Object.freeze({ ...enrolled, isRetired: true }));
}
