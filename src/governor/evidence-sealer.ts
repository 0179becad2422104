import { DEFAULT_LIMITS } from '../artifact/index.ts';
import { digestOf } from '../codec/index.ts';
import { type Action, type Decision, type Snapshot, workloadCredentialOf } from '../decision/index.ts';
import { isDenial } from '../denial/index.ts';
import { type Measurement, serializeMeasurement } from '../environment/index.ts';
import { type EvidenceKey, type EvidenceKind, evidenceAddress } from '../receipt/index.ts';
import { bundleOf } from '../workload/index.ts';
import { requestEvidenceOf } from './request-evidence.ts';
import { serializeTrustBundle, serializeWorkload } from './workload-evidence.ts';

/** How many chains, policies and measurements are remembered as already stored. */
const MAX_REMEMBERED = 1024;

/** INVARIANT: well below what a log takes for one blob. What a caller made larger is not kept: its denial is. */
const MAX_BLOB_BYTES = 8 * 1024 * 1024;

export interface SealedEvidence {
  readonly addresses: Readonly<Partial<Record<EvidenceKind, string>>>;
  /** Blobs the store may lack. */
  readonly blobs: readonly { readonly address: string; readonly bytes: Uint8Array }[];
  /** To be called once the blobs are durable: they are not handed over again. */
  stored(): void;
}

/** Gathers what re-deriving a decision needs (DESIGN §6, evidence store). */
export class EvidenceSealer {
  readonly #key: EvidenceKey;
  /** Content digest → address, for blobs that come back on every call. */
  readonly #addresses = new Map<string, string>();
  readonly #contents = new WeakMap<Measurement, string>();

  constructor(key: EvidenceKey) {
    this.#key = key;
  }

  /** Tells measurements apart by all they say: the environment's digest leaves out when, and who vouches. */
  #contentOf(measurement: Measurement): string {
    const known = this.#contents.get(measurement);
    if (known !== undefined) return known;
    const content = `measurement ${digestOf(serializeMeasurement(measurement))}`;
    this.#contents.set(measurement, content);
    return content;
  }

  seal(action: Action, snapshot: Snapshot, { findings }: Decision): SealedEvidence {
    const addresses: Partial<Record<EvidenceKind, string>> = {};
    const blobs: { address: string; bytes: Uint8Array }[] = [];
    const fresh: [string, string][] = [];
    const add = (kind: EvidenceKind, contentDigest: string, bytes: () => Uint8Array) => {
      const known = this.#addresses.get(contentDigest);
      if (known !== undefined) {
        addresses[kind] = known;
        return;
      }
      const blob = bytes();
      const address = evidenceAddress(this.#key, blob);
      addresses[kind] = address;
      blobs.push({ address, bytes: blob });
      fresh.push([contentDigest, address]);
    };

    const addOnce = (kind: EvidenceKind, text: string) => {
      const bytes = Buffer.from(text);
      if (bytes.byteLength > MAX_BLOB_BYTES) return;
      const address = evidenceAddress(this.#key, bytes);
      addresses[kind] = address;
      blobs.push({ address, bytes });
    };

    // What did not pass as a request is no JSON, or without bound: of that only the denial is kept.
    if (findings.request !== undefined && isSealable(action)) {
      addOnce('request', requestEvidenceOf(action, snapshot, findings.proof !== undefined));
    }
    const { presentation } = action;
    if (findings.chain !== undefined) {
      const { chain } = findings;
      add('chain', chain.digest, () =>
        Buffer.from(JSON.stringify(chain.tokens.map(({ compact }) => compact))),
      );
    } else if (presentation !== undefined && !isDenial(presentation) && isKeptChain(presentation.aat_chain)) {
      addOnce('chain', JSON.stringify(presentation.aat_chain));
    }
    const credential = workloadCredentialOf(action);
    if (findings.request !== undefined && credential !== undefined) {
      const text = serializeWorkload(credential);
      // A connection shows the same with every call; a token’s proof is of one.
      if (credential.kind === 'x509-svid') add('workload', digestOf(text), () => Buffer.from(text));
      else addOnce('workload', text);
      const bundle = bundleOf(credential, snapshot.trustBundles ?? new Map());
      if (bundle !== undefined) {
        add('trustBundle', `${bundle.trustDomain} ${bundle.digest}`, () => serializeTrustBundle(bundle));
      }
    }
    const { policy, measurement } = snapshot;
    if (policy !== undefined) add('policy', policy.bundle.digest, () => policy.bundle.bytes);
    if (measurement !== undefined) {
      add('measurement', this.#contentOf(measurement), () => serializeMeasurement(measurement));
    }
    return {
      addresses,
      blobs,
      stored: () => {
        if (this.#addresses.size + fresh.length > MAX_REMEMBERED) this.#addresses.clear();
        for (const [contentDigest, address] of fresh) this.#addresses.set(contentDigest, address);
      },
    };
  }
}

function isSealable({ presentation }: Action): boolean {
  if (presentation === undefined || isDenial(presentation)) return true;
  return typeof presentation.aat_pop === 'string' && presentation.aat_pop.length <= MAX_BLOB_BYTES;
}

/** A chain that did not verify is kept while it is no longer than one that could. */
function isKeptChain(chain: readonly string[]): boolean {
  if (!Array.isArray(chain) || chain.length > MAX_REMEMBERED) return false;
  let characters = 0;
  for (const token of chain) characters += typeof token === 'string' ? token.length : Number.NaN;
  return characters <= DEFAULT_LIMITS.maxChainBytes;
}
