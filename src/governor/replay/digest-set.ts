import { hash } from 'node:crypto';

const WORDS = 4;
const SLOTS = 2 ** 18;
const MOST = SLOTS / 2;

/**
 * A set of texts, by the first 128 bits of their SHA-256: 32 bytes each, outside the heap. Two texts that fall together
 * would have to be searched for with 2^64 hashes.
 */
export class DigestSet {
  readonly #slots = new Uint32Array(SLOTS * WORDS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= MOST;
  }

  /** @throws TypeError once it is full. */
  add(key: Uint32Array): void {
    const at = this.#find(key);
    if (this.#holds(at)) return;
    if (this.isFull) throw new TypeError('the set is full');
    this.#slots.set(key, at);
    this.#size += 1;
  }

  has(key: Uint32Array): boolean {
    return this.#holds(this.#find(key));
  }

  #holds(at: number): boolean {
    return this.#slots[at] !== 0;
  }

  /** Where the key stands, or the empty slot it would take. */
  #find(key: Uint32Array): number {
    const [first = 0, second, third, fourth] = key;
    let slot = first & (SLOTS - 1);
    for (;;) {
      const at = slot * WORDS;
      const found = this.#slots[at];
      if (found === 0) return at;
      if (
        found === first &&
        this.#slots[at + 1] === second &&
        this.#slots[at + 2] === third &&
        this.#slots[at + 3] === fourth
      ) {
        return at;
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
  }
}

/** The key of a text. Its first word is never zero: that marks an empty slot. */
export function digestKeyOf(text: string): Uint32Array {
  const bytes = hash('sha256', text, 'buffer');
  const key = new Uint32Array(WORDS);
  for (let word = 0; word < WORDS; word += 1) key[word] = bytes.readUInt32LE(word * 4);
  if (key[0] === 0) key[0] = 1;
  return key;
}

/** A set without bound: 32 bytes for each text, in tables of 131,072. */
export class GrowingDigestSet {
  readonly #sets: DigestSet[] = [];

  add(text: string): void {
    let last = this.#sets.at(-1);
    if (last === undefined || last.isFull) {
      last = new DigestSet();
      this.#sets.push(last);
    }
    last.add(digestKeyOf(text));
  }

  has(text: string): boolean {
    if (this.#sets.length === 0) return false;
    const key = digestKeyOf(text);
    return this.#sets.some((set) => set.has(key));
  }
}
