import { isDenial } from '../../denial/index.ts';
import type { Signer } from '../../key/index.ts';
import {
  type CheckpointCosigner,
  formatCheckpoint,
  HASH_BYTES,
  hashesEqual,
  type LogReader,
  leafHash,
  logFault,
  type NoteSigner,
  type NoteVerifier,
  noteSigner,
  noteVerifier,
  openCheckpoint,
  proveConsistency,
  QuorumUnmet,
  rootAt,
  signNote,
  TILE_WIDTH,
  type TileStore,
} from '../../tlog/index.ts';
import { furthestTile, openPosixTileStore, publishTiles, type TileSource } from '../posix/index.ts';
import type { Head, OpenedHead } from './batch-writer.ts';

export interface PublisherOptions {
  readonly directory: string;
  readonly origin: string;
  readonly signer: Signer;
  readonly source: TileSource & Pick<LogReader, 'read'>;
  /** Where there is one, nothing is published that its policy does not accept. */
  readonly cosigner?: CheckpointCosigner;
}

/** Signs heads of one log and publishes them with their tiles, one publication at a time. */
export class CheckpointPublisher {
  readonly #directory: string;
  readonly #origin: string;
  readonly #source: TileSource & Pick<LogReader, 'read'>;
  readonly #store: TileStore;
  readonly #signer: NoteSigner;
  readonly #verifier: NoteVerifier;
  readonly #cosigner: CheckpointCosigner | undefined;
  /** What is published. `isAccepted`: by the policy of now, which it may be older than. */
  #latest: { readonly size: number; readonly note: string; readonly isAccepted: boolean } | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<string> | undefined;

  constructor(options: PublisherOptions) {
    this.#directory = options.directory;
    this.#origin = options.origin;
    this.#source = options.source;
    this.#cosigner = options.cosigner;
    this.#store = openPosixTileStore(options.directory);
    this.#signer = noteSigner(options.origin, options.signer);
    this.#verifier = noteVerifier(options.origin, options.signer.publicKey);
  }

  /** Entries under the published checkpoint, if the policy of now accepts it; -1 before the first such. */
  get publishedSize(): number {
    return this.#latest?.isAccepted === true ? this.#latest.size : -1;
  }

  get isWitnessed(): boolean {
    return this.#cosigner !== undefined;
  }

  /**
   * Takes up the checkpoint that is already published.
   * @throws LogUnavailable when it isn't this log's, the database has lost or changed what it signed for, or holds
   * entries beyond it that this log's writer did not commit.
   */
  async resume(head: OpenedHead): Promise<void> {
    const note = await this.#store.readCheckpoint();
    if (note !== undefined) this.#takeUp(note, head);
    const reach = furthestTile(this.#directory);
    if (reach > head.size) {
      throw logFault(
        'rolled_back',
        `${this.#directory} has ${head.size} entries but has published tiles of ${reach}: the database went back`,
      );
    }
    // INVARIANT: what gets signed is what was signed before or what the writer committed. Who can write the database
    // but holds no key gets nothing signed.
    const signed = this.#latest?.size ?? 0;
    if (head.size > signed && !head.isSealed) {
      throw logFault('foreign_entries', this.#foreignTail(signed, head.size));
    }
    this.#checkBodies(signed, head.size);
  }

  #takeUp(note: string, head: Head): void {
    const checkpoint = openCheckpoint(note, this.#verifier);
    if (isDenial(checkpoint)) {
      throw logFault(
        'checkpoint_damaged',
        `the checkpoint in ${this.#directory} is not signed by this log's key: ${checkpoint.detail}; run "writ log verify"`,
      );
    }
    if (checkpoint.size > head.size) {
      throw logFault(
        'rolled_back',
        `${this.#directory} has ${head.size} entries but has published a checkpoint over ${checkpoint.size}: the database went back`,
      );
    }
    if (!hashesEqual(rootAt(this.#source, checkpoint.size), checkpoint.rootHash)) {
      throw logFault(
        'history_differs',
        `${this.#directory} does not contain the ${checkpoint.size} entries its checkpoint was signed over; run "writ log verify"`,
      );
    }
    this.#latest = { size: checkpoint.size, note, isAccepted: this.#cosigner?.check(note).met ?? true };
  }

  #foreignTail(start: number, end: number): string {
    const entries = end - start === 1 ? `entry ${start}` : `entries ${start} to ${end - 1}`;
    return `${this.#directory} is not opened: no checkpoint covers ${entries}, and what is there was not committed by this log's writer under this key. Nothing was signed`;
  }

  /** Bodies of the entries that the next publication bundles: the seal covers their leaf hashes. */
  #checkBodies(start: number, end: number): void {
    for (let at = start - (start % TILE_WIDTH); at < end; at += TILE_WIDTH) {
      const count = Math.min(TILE_WIDTH, end - at);
      const leaves = this.#source.readHashes(0, at, count);
      for (const [offset, body] of this.#source.read(at, count).entries()) {
        const leaf = leaves.subarray(offset * HASH_BYTES, (offset + 1) * HASH_BYTES);
        if (!hashesEqual(leafHash(body), leaf)) {
          throw logFault('entry_altered', `entry ${at + offset} is not what was appended`);
        }
      }
    }
  }

  /** The published note over at least `head()` as it is now. Callers who wait for their turn share one publication. */
  publish(head: () => Head): Promise<string> {
    if (this.#waiting !== undefined) return this.#waiting;
    const turn = this.#running.then(() => {
      this.#waiting = undefined;
      return this.#publish(head());
    });
    this.#waiting = turn;
    this.#running = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when no publication is under way, or waits for its turn. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #publish({ size, rootHash }: Head): Promise<string> {
    const latest = this.#latest;
    if (latest?.isAccepted && latest.size >= size) return latest.note;
    const text = formatCheckpoint({ origin: this.#origin, size, rootHash });
    const signed = signNote(text, [this.#signer]);
    const checkpoint = await this.#cosign(signed, size, latest?.size ?? 0);
    await publishTiles({ source: this.#source, store: this.#store, checkpoint });
    this.#latest = { size, note: checkpoint, isAccepted: true };
    return checkpoint;
  }

  async #cosign(signed: string, size: number, knownSize: number): Promise<string> {
    if (this.#cosigner === undefined) return signed;
    const prove = (oldSize: number) => proveConsistency(this.#source, oldSize, size);
    const cosigned = await this.#cosigner.cosign(signed, { knownSize, prove });
    // INVARIANT: what a policy does not accept is not published, whatever the cosigner believes.
    const verdict = this.#cosigner.check(cosigned);
    if (!verdict.met) throw new QuorumUnmet(`the witness policy is not met: ${verdict.missing}`);
    return cosigned;
  }
}
