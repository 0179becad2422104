import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  ED25519,
  leafHash,
  type NoteVerifier,
  openCheckpoint,
  parseTlogProof,
  peekCheckpoint,
  type VerifiedCheckpoint,
  verifyInclusion,
} from '../tlog/index.ts';
import type { BundledEntry } from './bundle.ts';

/** An entry that a signed checkpoint of its log covers. */
export interface ProvenEntry<R> {
  readonly receipt: R;
  readonly bytes: Uint8Array;
  /** Origin of the log. */
  readonly log: string;
  readonly index: number;
  readonly leaf: Uint8Array;
}

/** An entry of a log whose key is not known. */
export interface UnknownLog {
  readonly unknownLog: string;
}

interface Head {
  readonly note: string;
  readonly key: NoteVerifier;
  readonly checkpoint: VerifiedCheckpoint;
}

const MAX_KEYS_PER_LOG = 16;

/**
 * The logs whose keys a verifier knows. INVARIANT: each is seen under one checkpoint only: entries under two could be of
 * two histories, and nothing in a bundle would tell.
 */
export class KnownLogs {
  readonly #keys = new Map<string, NoteVerifier[]>();
  readonly #heads = new Map<string, Head>();
  readonly #witnesses: readonly NoteVerifier[];

  constructor(keys: readonly NoteVerifier[], witnesses: readonly NoteVerifier[] = []) {
    this.#witnesses = witnesses;
    for (const key of keys) this.add(key);
  }

  /** Whether the key was new. A witness's cosignature says that a checkpoint was seen, not that the log made it. */
  add(key: NoteVerifier): boolean {
    const known = this.#keys.get(key.name) ?? [];
    const isNew = !known.some(({ keyId, key: other }) => keyId === key.keyId && isSame(other, key.key));
    if (key.type !== ED25519 || !isNew || known.length >= MAX_KEYS_PER_LOG) return false;
    this.#keys.set(key.name, [...known, key]);
    return true;
  }

  /** The checkpoint of each log that an entry was proven under. */
  get checkpoints(): readonly VerifiedCheckpoint[] {
    return [...this.#heads.values()].map(({ checkpoint }) => checkpoint);
  }

  /** The key that signed the checkpoint a log is seen under. */
  keyOf(origin: string): NoteVerifier | undefined {
    return this.#heads.get(origin)?.key;
  }

  /** Verifies that the entry is in its log, and parses it. */
  prove<R extends object>(
    { entry, proof }: BundledEntry,
    parse: (entry: Uint8Array) => R | Denial,
  ): ProvenEntry<R> | Denial | UnknownLog {
    const bytes = Buffer.from(entry, 'base64');
    if (bytes.toString('base64') !== entry) return deny('request.malformed', 'the entry is not base64');
    const parsed = parseTlogProof(proof);
    if (isDenial(parsed)) return parsed;
    if (parsed.extra !== undefined) return deny('request.malformed', 'the proof has data nobody checks');
    const head = this.#head(parsed.checkpoint);
    if (isDenial(head) || 'unknownLog' in head) return head;
    const { checkpoint } = head;
    const { size, rootHash, origin: log } = checkpoint;
    const leaf = leafHash(bytes);
    if (!verifyInclusion({ leafHash: leaf, index: parsed.index, size, rootHash, proof: parsed.proof })) {
      return deny('log.unavailable', 'inclusion proof does not verify');
    }
    const receipt = parse(bytes);
    return isDenial(receipt) ? receipt : { receipt, bytes, log, index: parsed.index, leaf };
  }

  #head(note: string): Head | Denial | UnknownLog {
    const claimed = peekCheckpoint(note);
    if (isDenial(claimed)) return claimed;
    const { origin } = claimed;
    const keys = this.#keys.get(origin);
    if (keys === undefined) return { unknownLog: origin };
    const head = this.#heads.get(origin);
    if (head?.note === note) return head;
    if (head !== undefined) {
      return deny('log.unavailable', 'it is proven under another checkpoint than the others of its log');
    }
    let refusal = deny('log.unavailable', 'its log has no key');
    for (const key of keys) {
      const checkpoint = openCheckpoint(note, key, this.#witnesses);
      if (isDenial(checkpoint)) {
        refusal = checkpoint;
        continue;
      }
      const opened = { note, key, checkpoint };
      this.#heads.set(origin, opened);
      return opened;
    }
    return refusal;
  }
}

function isSame(left: NoteVerifier['key'], right: NoteVerifier['key']): boolean {
  return left.thumbprint === right.thumbprint;
}
