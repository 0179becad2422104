import { isDenial } from '../../denial/index.ts';
import {
  formatTilePath,
  HASH_BYTES,
  hashesEqual,
  parseEntryBundle,
  storedHashCount,
  TILE_WIDTH,
  type TileStore,
} from '../../tlog/index.ts';
import { causeOf } from '../driver-fault.ts';

type Kind = 'leaves' | 'entries';

/** The tiles under a published checkpoint, read one by one for comparison; what is wrong is collected per path. */
export class PublishedTiles {
  readonly #store: TileStore;
  readonly #size: number;
  #problems = new Map<string, string>();
  readonly #named = new Set<string>();
  readonly #nodes = new Map<number, { tile: number; hashes: readonly Uint8Array[] | undefined }>();

  constructor(store: TileStore, size: number) {
    this.#store = store;
    this.#size = size;
  }

  /** Leaf hashes of a level-0 tile, as far as the checkpoint reaches; undefined when it cannot be read. */
  leaves(tile: number): Promise<readonly Uint8Array[] | undefined> {
    return this.#hashes(0, tile);
  }

  async entries(tile: number): Promise<readonly Uint8Array[] | undefined> {
    const width = this.#width('entries', tile);
    if (width === 0) return undefined;
    for (const present of new Set([width, TILE_WIDTH])) {
      const bytes = await this.#read(formatTilePath({ level: 'entries', index: tile, width: present }));
      if (bytes === undefined) continue;
      const entries = parseEntryBundle(bytes, present);
      if (!isDenial(entries)) return entries.slice(0, width);
    }
    return undefined;
  }

  /** Compares one hash of a level above 0 with the tile that publishes it. */
  async checkNode(level: number, index: number, hash: Uint8Array): Promise<void> {
    const tile = Math.floor(index / TILE_WIDTH);
    if (index >= storedHashCount(level, this.#size)) return;
    let cached = this.#nodes.get(level);
    if (cached?.tile !== tile) {
      cached = { tile, hashes: await this.#hashes(level, tile) };
      this.#nodes.set(level, cached);
    }
    const published = cached.hashes?.[index % TILE_WIDTH];
    if (published === undefined || !hashesEqual(published, hash)) this.#blame(level, tile);
  }

  /** Says that a tile or bundle doesn't hold what it should. */
  damage(kind: Kind, tile: number): void {
    this.#blame(kind === 'leaves' ? 0 : 'entries', tile);
  }

  /** Each bad path once. */
  takeProblems(): { where: string; detail: string }[] {
    const problems = [...this.#problems].map(([where, detail]) => ({ where, detail }));
    this.#problems = new Map();
    const fresh = problems.filter(({ where }) => !this.#named.has(where));
    for (const { where } of fresh) this.#named.add(where);
    return fresh;
  }

  async #hashes(level: number, tile: number): Promise<readonly Uint8Array[] | undefined> {
    const width = this.#width(level, tile);
    if (width === 0) return undefined;
    // A full tile supersedes the partial ones, which a running log then removes.
    for (const present of new Set([width, TILE_WIDTH])) {
      const bytes = await this.#read(formatTilePath({ level, index: tile, width: present }));
      if (bytes === undefined || bytes.byteLength !== present * HASH_BYTES) continue;
      return Array.from({ length: width }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
    }
    return undefined;
  }

  async #read(path: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#store.read(path);
    } catch (error) {
      this.#problems.set(path, causeOf(error));
      return undefined;
    }
  }

  #blame(level: number | 'entries', tile: number): void {
    const path = formatTilePath({ level, index: tile, width: Math.max(1, this.#width(level, tile)) });
    if (!this.#problems.has(path)) this.#problems.set(path, 'it is missing or not what was signed for');
  }

  #width(level: number | 'entries', tile: number): number {
    return Math.max(0, Math.min(TILE_WIDTH, storedHashCount(level, this.#size) - tile * TILE_WIDTH));
  }
}
