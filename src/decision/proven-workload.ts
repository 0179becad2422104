import type { VerifiedChain } from '../artifact/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  type VerifiedWorkload,
  verifyWorkload,
  type WorkloadContext,
  type WorkloadCredential,
} from '../workload/index.ts';
import type { Action } from './request.ts';
import type { Snapshot } from './snapshot.ts';

/** A workload that the caller proved to be when an execution began, and what it was proven with. */
export interface ProvenWorkload extends VerifiedWorkload {
  readonly proof: WorkloadCredential;
  readonly context: Omit<WorkloadContext, 'bundles'>;
}

/**
 * What is shown of the workload that calls: a token that came with the presentation speaks for the call itself, and counts
 * before the certificate of the connection, which may be that of a proxy (draft-ietf-wimse-workload-creds §1.4).
 */
export function workloadCredentialOf({
  presentation,
  peerCertificates,
}: Pick<Action, 'presentation' | 'peerCertificates'>): WorkloadCredential | undefined {
  if (presentation !== undefined && !isDenial(presentation)) {
    const { wit, wpt } = presentation;
    if (wit !== undefined || wpt !== undefined) return { kind: 'wit-svid', wit: wit ?? '', wpt: wpt ?? '' };
  }
  return peerCertificates && { kind: 'x509-svid', certificates: peerCertificates };
}

/** The workload a caller proves to be; undefined where it shows nothing. What is shown and does not hold denies. */
export function proveWorkload(action: Action, snapshot: Snapshot): ProvenWorkload | Denial | undefined {
  const proof = workloadCredentialOf(action);
  const audience = snapshot.audiences.at(-1);
  if (proof === undefined) return undefined;
  if (audience === undefined) return deny('identity.mismatch', 'the enforcement point has no identifier');
  const { presentation } = action;
  const pop = presentation !== undefined && !isDenial(presentation) ? presentation.aat_pop : '';
  const context = { audience, pop, nowSeconds: snapshot.nowSeconds };
  const workload = verifyWorkload(proof, { ...context, bundles: snapshot.trustBundles ?? new Map() });
  return isDenial(workload) ? workload : { ...workload, proof, context };
}

/**
 * Whether what a workload was proven with is still vouched for: verified again under the bundles of now, as of the moment the
 * execution began. An identity that expires meanwhile was in time when it was asked for; an authority that is not trusted any
 * more takes its word back.
 */
export function recheckWorkload(
  workload: ProvenWorkload | undefined,
  { trustBundles = new Map() }: Pick<Snapshot, 'trustBundles'>,
): Denial | undefined {
  if (workload === undefined) return undefined;
  const current = trustBundles.get(workload.bundle.trustDomain);
  if (current?.digest === workload.bundle.digest) return undefined;
  const again = verifyWorkload(workload.proof, { ...workload.context, bundles: trustBundles });
  return isDenial(again) ? again : undefined;
}

/** Whether the caller is the workload that tokens of the chain want it to be: each of them, whoever issued it. */
export function checkWorkloads(
  { tokens }: VerifiedChain,
  workload: Pick<VerifiedWorkload, 'id'> | undefined,
): Denial | undefined {
  for (const { writ } of tokens) {
    if (writ.workload === undefined || writ.workload === workload?.id) continue;
    return deny(
      'identity.mismatch',
      workload === undefined
        ? `the caller does not prove to be ${writ.workload}`
        : `the caller is ${workload.id}, and not ${writ.workload}`,
    );
  }
  return undefined;
}
