import { canonicalize, isJsonObject, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  type TrustBundle,
  type TrustBundles,
  trustBundleOf,
  type WorkloadCredential,
} from '../workload/index.ts';

const LIMITS = { maxBytes: 2 * 1024 * 1024, maxDepth: 16 };

/** What a caller showed of the workload that it is, as evidence: JCS. */
export function serializeWorkload(credential: WorkloadCredential): string {
  return canonicalize({ ...credential });
}

export function parseWorkload(bytes: Uint8Array): WorkloadCredential | Denial {
  const json = parseJsonObject(bytes, 'log.unavailable', LIMITS);
  if (isDenial(json)) return json;
  const { kind, certificates, wit, wpt } = json;
  if (kind === 'wit-svid' && typeof wit === 'string' && typeof wpt === 'string') return { kind, wit, wpt };
  if (kind !== 'x509-svid' || !Array.isArray(certificates)) return malformed();
  const texts = certificates.filter((text) => typeof text === 'string');
  return texts.length === certificates.length ? { kind, certificates: texts } : malformed();
}

/** What it was verified with, as evidence: the document does not say whose it is. */
export function serializeTrustBundle({ trustDomain, json }: TrustBundle): Uint8Array {
  return Buffer.from(canonicalize({ trustDomain, bundle: json }));
}

export function parseTrustBundles(bytes: Uint8Array): TrustBundles | Denial {
  const json = parseJsonObject(bytes, 'log.unavailable', LIMITS);
  if (isDenial(json)) return json;
  const { trustDomain, bundle } = json;
  if (typeof trustDomain !== 'string' || !isJsonObject(bundle)) return malformed();
  const parsed = trustBundleOf(trustDomain, bundle);
  return isDenial(parsed) ? parsed : new Map([[trustDomain, parsed]]);
}

function malformed(): Denial {
  return deny('log.unavailable', 'the evidence of a workload is malformed');
}
