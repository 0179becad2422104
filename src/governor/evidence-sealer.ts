import type { JsonObject, JsonValue } from '../codec/index.ts';
import type { Action, Decision, Snapshot } from '../decision/index.ts';
import { isDenial } from '../denial/index.ts';
import { serializeMeasurement } from '../environment/index.ts';
import { type EvidenceKey, type EvidenceKind, evidenceAddress } from '../receipt/index.ts';

/** How many chains, policies and measurements are remembered as already stored. */
const MAX_REMEMBERED = 1024;

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

  constructor(key: EvidenceKey) {
    this.#key = key;
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

    const request = Buffer.from(requestEvidenceOf(action, findings.proof !== undefined));
    const requestAddress = evidenceAddress(this.#key, request);
    addresses.request = requestAddress;
    blobs.push({ address: requestAddress, bytes: request });

    const { presentation } = action;
    if (findings.chain !== undefined) {
      const { chain } = findings;
      add('chain', chain.digest, () =>
        Buffer.from(JSON.stringify(chain.tokens.map(({ compact }) => compact))),
      );
    } else if (presentation !== undefined && !isDenial(presentation)) {
      const bytes = Buffer.from(JSON.stringify(presentation.aat_chain));
      const address = evidenceAddress(this.#key, bytes);
      addresses.chain = address;
      blobs.push({ address, bytes });
    }
    const { policy, measurement } = snapshot;
    if (policy !== undefined) add('policy', policy.bundle.digest, () => policy.bundle.bytes);
    if (measurement !== undefined) {
      const { digest, measuredAtSeconds } = measurement;
      add('measurement', `${digest}@${measuredAtSeconds}`, () => serializeMeasurement(measurement));
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

/** The proof holds the arguments; they stand apart only where no verified proof repeats them. */
function requestEvidenceOf({ args, presentation, tool }: Action, proven: boolean): string {
  const pop = presentation !== undefined && !isDenial(presentation) ? presentation.aat_pop : undefined;
  if (proven && pop !== undefined) return JSON.stringify({ pop });
  const evidence: Record<string, JsonValue> = { tool, args: args as JsonObject };
  if (pop !== undefined) evidence.pop = pop;
  if (isDenial(presentation)) evidence.problem = { code: presentation.code, detail: presentation.detail };
  return JSON.stringify(evidence);
}
