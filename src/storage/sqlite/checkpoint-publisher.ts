import { isDenial } from '../../denial/index.ts';
import type { Signer } from '../../key/index.ts';
import {
  formatCheckpoint,
  hashesEqual,
  LogUnavailable,
  type NoteSigner,
  type NoteVerifier,
  noteSigner,
  noteVerifier,
  openCheckpoint,
  rootAt,
  signNote,
  type TileStore,
} from '../../tlog/index.ts';
import { openPosixTileStore, publishTiles, type TileSource } from '../posix/index.ts';
import type { Head } from './batch-writer.ts';

/** Signs heads of one log and publishes them with their tiles, one publication at a time. */
export class CheckpointPublisher {
  readonly #directory: string;
  readonly #origin: string;
  readonly #source: TileSource;
  readonly #store: TileStore;
  readonly #signer: NoteSigner;
  readonly #verifier: NoteVerifier;
  #latest: { readonly size: number; readonly note: string } | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<string> | undefined;

  constructor(options: { directory: string; origin: string; signer: Signer; source: TileSource }) {
    this.#directory = options.directory;
    this.#origin = options.origin;
    this.#source = options.source;
    this.#store = openPosixTileStore(options.directory);
    this.#signer = noteSigner(options.origin, options.signer);
    this.#verifier = noteVerifier(options.origin, options.signer.publicKey);
  }

  /** Entries under the published checkpoint; -1 before the first. */
  get publishedSize(): number {
    return this.#latest?.size ?? -1;
  }

  /**
   * Takes up the checkpoint that is already published.
   * @throws LogUnavailable when it isn't this log's, or the database has lost or changed what it signed for.
   */
  async resume(head: Head): Promise<void> {
    const note = await this.#store.readCheckpoint();
    if (note === undefined) return;
    const checkpoint = openCheckpoint(note, this.#verifier);
    if (isDenial(checkpoint)) {
      throw new LogUnavailable(
        `the checkpoint in ${this.#directory} is not signed by this log's key: ${checkpoint.detail}; use the log's own key, or run \`writ log verify\``,
      );
    }
    if (checkpoint.size > head.size) {
      throw new LogUnavailable(
        `${this.#directory} has ${head.size} entries but has published a checkpoint over ${checkpoint.size}: the database went back; restore a newer one or start a new log`,
      );
    }
    if (!hashesEqual(rootAt(this.#source, checkpoint.size), checkpoint.rootHash)) {
      throw new LogUnavailable(
        `${this.#directory} does not contain the ${checkpoint.size} entries its checkpoint was signed over; run \`writ log verify\``,
      );
    }
    this.#latest = { size: checkpoint.size, note };
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

  async #publish({ size, rootHash }: Head): Promise<string> {
    if (this.#latest !== undefined && this.#latest.size >= size) return this.#latest.note;
    const text = formatCheckpoint({ origin: this.#origin, size, rootHash });
    const checkpoint = signNote(text, [this.#signer]);
    await publishTiles({ source: this.#source, store: this.#store, checkpoint });
    this.#latest = { size, note: checkpoint };
    return checkpoint;
  }
}
