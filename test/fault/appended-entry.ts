import type { AppendRequest } from '../../src/tlog/index.ts';

/** Appends of one wave: they travel together and share a commit. */
export const WAVE = 61;

/** Ids of the waves, ascending, so that every run writes the same pages. */
export const waveId = (number: number): string => `id-${String(number).padStart(33, '0')}`;

const ID = '[0-9a-f-]{36}|id-[0-9]{33}';
const ENTRY = new RegExp(`^permit (${ID}) `);
const ACKNOWLEDGED = new RegExp(`^(\\d+) (${ID})$`);

/** What the child appends for an id: a permit, its proof, a counter, and now and then evidence. */
export function requestOf(id: string, hasEvidence: boolean): AppendRequest {
  return {
    entry: Buffer.from(`permit ${id} `.padEnd(hasEvidence ? 600 : 100, '.')),
    keys: [id],
    consume: { id, expiresAtSeconds: 4_000_000_000 },
    counters: [{ key: 'appended', limit: 2 ** 40, amount: 1 }],
    ...(hasEvidence ? { evidence: [{ address: id, bytes: Buffer.from(evidenceOf(id)) }] } : {}),
  };
}

export const evidenceOf = (id: string): string => `evidence of ${id}`;

export function idOfEntry(entry: Uint8Array): string | undefined {
  return ENTRY.exec(Buffer.from(entry).toString())?.[1];
}

/** What a child said was durable, and its other words. */
export class Acknowledgements {
  readonly ids = new Map<number, string>();
  readonly words: string[] = [];

  hear(line: string): void {
    const [, index, id] = ACKNOWLEDGED.exec(line) ?? [];
    if (index !== undefined && id !== undefined) this.ids.set(Number(index), id);
    else this.words.push(line);
  }
}
