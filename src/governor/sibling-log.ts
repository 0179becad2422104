import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { EnrolledLog } from '../governance/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import { leafHash, verifyInclusion } from '../tlog/index.ts';
import { type Entries, type FoundDecision, findDecision } from './parent-fact.ts';
import { openWithAny, readCheckpointNote, type SignedHead } from './signed-head.ts';

/** What a sibling's log has of an execution. `uncovered`: no checkpoint vouches for it, yet or ever. */
export type SiblingAnswer = (FoundDecision & { readonly entries: Entries }) | 'uncovered' | undefined;

/**
 * A log that another process writes, read beside it. INVARIANT: a decision counts only under a checkpoint that verifies
 * with a key the domain has enrolled for that log. Anyone who can write the file could add entries to its database;
 * only its writer can sign for them.
 */
export class SiblingLog {
  readonly #directory: string;
  readonly #origin: string;
  #reader: SqliteLogReader | undefined;
  #inode: number | undefined;
  #head: { readonly note: string; readonly vkeys: string; readonly head: SignedHead | undefined } | undefined;

  constructor(directory: string, origin: string) {
    this.#directory = directory;
    this.#origin = origin;
  }

  /** Never throws: a log that is damaged or gone has nothing to say. */
  find(executionId: string, enrolled: EnrolledLog): SiblingAnswer {
    try {
      const reader = this.#open();
      if (reader === undefined) return undefined;
      const found = findDecision(reader, executionId, this.#origin);
      if (found === undefined) return undefined;
      return this.#isCovered(reader, found, enrolled) ? { ...found, entries: reader } : 'uncovered';
    } catch {
      this.close();
      return undefined;
    }
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #open(): SqliteLogReader | undefined {
    const inode = statSync(join(this.#directory, 'log.sqlite'), { throwIfNoEntry: false })?.ino;
    if (this.#reader !== undefined && inode === this.#inode) return this.#reader;
    this.close();
    if (inode === undefined) return undefined;
    const reader = openSqliteLogReader(this.#directory);
    if (reader.origin !== this.#origin) {
      reader.close();
      return undefined;
    }
    this.#inode = inode;
    this.#reader = reader;
    return reader;
  }

  #isCovered(reader: SqliteLogReader, { index, entry }: FoundDecision, enrolled: EnrolledLog): boolean {
    const head = this.#checkpoint(enrolled);
    if (head === undefined || index >= head.size) return false;
    const proof = reader.inclusionProof(index, head.size);
    return verifyInclusion({ leafHash: leafHash(entry), index, proof, ...head });
  }

  #checkpoint({ vkeys }: EnrolledLog): SignedHead | undefined {
    const note = readCheckpointNote(this.#directory);
    if (note === undefined) return undefined;
    const known = vkeys.join('\n');
    if (this.#head?.note !== note || this.#head.vkeys !== known) {
      this.#head = { note, vkeys: known, head: openWithAny(note, vkeys) };
    }
    return this.#head.head;
  }
}
