import type { DatabaseSync } from 'node:sqlite';
import {
  HASH_BYTES,
  type LogReader,
  LogUnavailable,
  logFault,
  MAX_ENTRY_BYTES,
  proveConsistency,
  proveInclusion,
} from '../../tlog/index.ts';
import { unavailableBecause } from '../driver-fault.ts';
import type { TileSource } from '../posix/index.ts';
import type { Head } from './batch-writer.ts';
import { unsealEvidence } from './evidence-seal.ts';
import { HashRows } from './hash-rows.ts';
import { integrityProblems } from './integrity.ts';
import { readLogRow } from './log-row.ts';
import { closeQuietly, openForReading } from './schema.ts';

/** `erased`: it was there and was forgotten on purpose; replay then reports *withheld*. */
export type EvidenceState = 'stored' | 'erased' | 'absent';

export interface EntryRow {
  readonly leaf: Uint8Array;
  readonly body: Uint8Array;
}

/** What a level-0 tile and an entry bundle should hold, byte for byte. */
export interface StoredTile {
  readonly leaves: Uint8Array;
  readonly bundle: Uint8Array;
}

/**
 * Many entries as one row, which costs a third of a row for each: leaf hashes, and entries behind their lengths, side by side.
 * Bytes pass through TEXT as they are, since neither cast converts and a sum of texts goes by their lengths.
 */
const TILE = `
  SELECT min(idx) AS first, max(idx) AS last,
    total(typeof(leaf) = 'blob' AND length(leaf) = ${HASH_BYTES} AND typeof(body) = 'blob' AND length(body) <= ${MAX_ENTRY_BYTES}) AS whole,
    CAST(group_concat(CAST(leaf AS TEXT), '') AS BLOB) AS leaves,
    CAST(group_concat(CAST(unhex(format('%04x', length(body))) AS TEXT) || CAST(body AS TEXT), '') AS BLOB) AS bundle
  FROM (SELECT idx, leaf, body FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx)`;

/**
 * Reads a log beside its writer, in any process: it sees what is committed and takes no lock the writer waits for.
 * Every method throws LogUnavailable where the database cannot be read or is damaged.
 */
export class SqliteLogReader implements LogReader, TileSource {
  /** The log's name in its checkpoints. */
  readonly origin: string;
  readonly #db: DatabaseSync;
  readonly #hashes: HashRows;
  readonly #statements: ReturnType<typeof prepareStatements>;
  #version: unknown;

  constructor(directory: string) {
    this.#db = openForReading(directory);
    try {
      this.#hashes = new HashRows(this.#db);
      this.#statements = prepareStatements(this.#db);
      this.origin = readLogRow(this.#db).origin;
      this.#version = this.#dataVersion();
    } catch (error) {
      closeQuietly(this.#db);
      throw unavailable(error);
    }
  }

  head(): Head {
    return reading(() => {
      const row = this.#statements.head.get();
      if (typeof row?.size !== 'number' || !(row.root instanceof Uint8Array)) {
        throw logFault('damaged', 'the head of the log is missing or damaged');
      }
      return { size: row.size, rootHash: row.root };
    });
  }

  /** The head with the writer's seal on it. */
  sealedHead(): Head & { readonly seal: Uint8Array } {
    return reading(() => readLogRow(this.#db));
  }

  read(start: number, count: number): Uint8Array[] {
    return reading(() => {
      const entries: Uint8Array[] = [];
      for (const { idx, body } of this.#statements.entries.all(start, start + count)) {
        if (idx !== start + entries.length || !(body instanceof Uint8Array)) {
          throw logFault('damaged', `entry ${start + entries.length} is missing or damaged`);
        }
        entries.push(body);
      }
      return entries;
    });
  }

  lookup(key: string): number[] {
    return reading(() => this.#statements.lookup.all(key).map(({ idx }) => Number(idx)));
  }

  inclusionProof(index: number, size: number): Uint8Array[] {
    return reading(() => proveInclusion(this.#hashes, index, size));
  }

  consistencyProof(size1: number, size2: number): Uint8Array[] {
    return reading(() => proveConsistency(this.#hashes, size1, size2));
  }

  readHashes(level: number, start: number, count: number): Uint8Array {
    return reading(() => this.#hashes.readHashes(level, start, count));
  }

  /** `count` entries with their stored leaf hashes; undefined for what is missing or damaged. For verification. */
  readRows(start: number, count: number): (EntryRow | undefined)[] {
    return reading(() => {
      const rows: (EntryRow | undefined)[] = Array.from({ length: count }, () => undefined);
      for (const { idx, leaf, body } of this.#statements.rows.all(start, start + count)) {
        if (leaf instanceof Uint8Array && leaf.byteLength === HASH_BYTES && body instanceof Uint8Array) {
          rows[Number(idx) - start] = { leaf, body };
        }
      }
      return rows;
    });
  }

  /** At most 256 entries as their bundle. */
  readBundle(start: number, count: number): Uint8Array {
    const stored = this.readTile(start, count);
    if (stored === undefined) throw logFault('damaged', `entries from ${start} on are missing or damaged`);
    return stored.bundle;
  }

  /** At most 256 entries with their stored leaf hashes; undefined where one is missing or damaged. */
  readTile(start: number, count: number): StoredTile | undefined {
    return reading(() => {
      const row = this.#statements.tile.get(start, start + count);
      const isWhole = row?.whole === count && row.first === start && row.last === start + count - 1;
      if (!isWhole || !(row.leaves instanceof Uint8Array) || !(row.bundle instanceof Uint8Array))
        return undefined;
      return { leaves: row.leaves, bundle: row.bundle };
    });
  }

  /** What SQLite finds wrong with the file's structure, at most twenty findings. Reads all of it. */
  integrityProblems(): string[] {
    return reading(() => integrityProblems(this.#db));
  }

  /** Whether anything was committed since the last call (the first: since opening). Costs a few microseconds. */
  changed(): boolean {
    return reading(() => {
      const version = this.#dataVersion();
      const moved = version !== this.#version;
      this.#version = version;
      return moved;
    });
  }

  /** Undefined when nothing is stored at the address, it was erased, or the key is not the one it was sealed with. */
  readEvidence(address: string, evidenceKey: Uint8Array): Uint8Array | undefined {
    return reading(() => {
      const row = this.#statements.evidence.get(address);
      if (!(row?.wrapped_key instanceof Uint8Array) || !(row.sealed instanceof Uint8Array)) return undefined;
      return unsealEvidence(evidenceKey, address, { wrappedKey: row.wrapped_key, sealed: row.sealed });
    });
  }

  evidenceState(address: string): EvidenceState {
    return reading(() => {
      const row = this.#statements.evidenceState.get(address);
      if (row === undefined) return 'absent';
      return row.stored === 1 ? 'stored' : 'erased';
    });
  }

  close(): void {
    closeQuietly(this.#db);
  }

  #dataVersion(): unknown {
    return this.#statements.dataVersion.get()?.data_version;
  }
}

/** @throws LogUnavailable when there is no log in the directory or it is not one. */
export function openSqliteLogReader(directory: string): SqliteLogReader {
  return new SqliteLogReader(directory);
}

function prepareStatements(db: DatabaseSync) {
  return {
    head: db.prepare('SELECT size, root FROM log'),
    entries: db.prepare('SELECT idx, body FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx'),
    rows: db.prepare('SELECT idx, leaf, body FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx'),
    tile: db.prepare(TILE),
    lookup: db.prepare('SELECT idx FROM lookup WHERE key = ? ORDER BY idx'),
    evidence: db.prepare('SELECT wrapped_key, sealed FROM evidence WHERE address = ?'),
    evidenceState: db.prepare('SELECT wrapped_key IS NOT NULL AS stored FROM evidence WHERE address = ?'),
    dataVersion: db.prepare('PRAGMA data_version'),
  };
}

function reading<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unavailable(error);
  }
}

function unavailable(error: unknown): Error {
  if (error instanceof LogUnavailable || error instanceof TypeError) return error;
  return unavailableBecause('the log cannot be read', error);
}
