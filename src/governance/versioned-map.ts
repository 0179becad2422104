interface Write<V> {
  readonly value: V;
  /** Number of writes to the table before this one. */
  readonly position: number;
}

/**
 * An immutable map whose successive versions share one table: a version sees the writes before its own. Writing to the
 * newest version costs O(1); writing to an older one copies what that one sees. Keys are never removed.
 */
export class VersionedMap<V> {
  /** The writes to a key, oldest first; keys in order of their first write. */
  readonly #table: Map<string, Write<V>[]>;
  /** Number of writes this version sees. */
  readonly #version: number;
  /** Number of writes the table holds, shared by all its versions. */
  readonly #written: { count: number };

  private constructor(table: Map<string, Write<V>[]>, version: number, written: { count: number }) {
    this.#table = table;
    this.#version = version;
    this.#written = written;
  }

  static empty<V>(): VersionedMap<V> {
    return new VersionedMap<V>(new Map(), 0, { count: 0 });
  }

  get isEmpty(): boolean {
    return this.#version === 0;
  }

  get(key: string): V | undefined {
    return this.#visible(this.#table.get(key))?.value;
  }

  with(key: string, value: V): VersionedMap<V> {
    // INVARIANT: only the newest version writes to its table, so none ever sees a write of another branch.
    if (this.#written.count !== this.#version) return this.#copy().with(key, value);
    const write = { value, position: this.#version };
    const writes = this.#table.get(key);
    if (writes === undefined) this.#table.set(key, [write]);
    else writes.push(write);
    this.#written.count += 1;
    return new VersionedMap(this.#table, this.#version + 1, this.#written);
  }

  /** The value of each key, in order of its first write. */
  *values(): IterableIterator<V> {
    for (const writes of this.#table.values()) {
      const write = this.#visible(writes);
      // Keys are in order of their first write: those that follow are newer than this version, too.
      if (write === undefined) return;
      yield write.value;
    }
  }

  #visible(writes: readonly Write<V>[] | undefined): Write<V> | undefined {
    return writes?.findLast(({ position }) => position < this.#version);
  }

  #copy(): VersionedMap<V> {
    const table = new Map<string, Write<V>[]>();
    for (const [key, writes] of this.#table) {
      const visible = this.#visible(writes);
      if (visible === undefined) break;
      table.set(key, [{ value: visible.value, position: table.size }]);
    }
    return new VersionedMap(table, table.size, { count: table.size });
  }
}
