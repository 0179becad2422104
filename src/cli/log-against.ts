import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { type Home, isLocalName } from '../governor/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import {
  compareHeads,
  type HeadsVerdict,
  MAX_NOTE_BYTES,
  openCheckpoint,
  parseVkey,
  peekCheckpoint,
  type SignedHead,
} from '../tlog/index.ts';
import { failure, usageError } from './cli-error.ts';
import { orUsage, readInputFile } from './input-file.ts';

/** What became of comparing a log with a checkpoint that somebody kept. */
export interface AgainstCheck {
  /** `unknown`: the log of now cannot show anything, since its checkpoint or its hashes cannot be read. */
  readonly verdict: HeadsVerdict | 'unknown';
  readonly origin: string;
  /** `governance`, or the name of the execution log. */
  readonly log: string;
  readonly detail: string;
  readonly keptSize: number;
  readonly size: number | null;
  /** Both signed notes, the kept one first; only that one where the log has none. */
  readonly heads: readonly string[];
}

/**
 * Compares the log that a kept checkpoint is of with that checkpoint. The keys are the one given, or those the domain
 * has for the log. Ends the command where the file is no checkpoint that such a key has signed.
 */
export function checkAgainst(
  home: Home,
  state: GovernanceState | undefined,
  kept: { readonly cwd: string; readonly file: string; readonly logKey?: string },
): AgainstCheck {
  const note = Buffer.from(orUsage(readInputFile(kept.cwd, kept.file, MAX_NOTE_BYTES))).toString('utf8');
  const claimed = peekCheckpoint(note);
  if (isDenial(claimed)) throw usageError(`${kept.file} is no checkpoint: ${claimed.detail}`);
  const { origin } = claimed;
  const { log, folder, vkeys } = locate(home, state, origin);
  if (kept.logKey !== undefined) orUsage(parseVkey(kept.logKey), 'give the vkey of the log');
  const keys = kept.logKey === undefined ? vkeys : [kept.logKey];
  const then = openWithAny(note, keys);
  if (isDenial(then)) {
    throw failure(
      then.code,
      `${kept.file} proves nothing: ${then.detail}`,
      kept.logKey === undefined ? 'if the log had another key then, give it with --log-key' : undefined,
    );
  }
  const common = { origin, log, keptSize: then.size };
  const now = readHead(folder, keys);
  if (isDenial(now)) {
    return { ...common, verdict: 'unknown', detail: now.detail, size: null, heads: [note] };
  }
  const heads = [note, now.note];
  try {
    const reader = openSqliteLogReader(folder);
    try {
      const verdict = compareHeads(then, now, (oldSize) => reader.consistencyProof(oldSize, now.size));
      return { ...common, verdict, detail: describe(verdict, then, now), size: now.size, heads };
    } finally {
      reader.close();
    }
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'unknown error';
    return { ...common, verdict: 'unknown', detail, size: now.size, heads };
  }
}

function locate(
  home: Home,
  state: GovernanceState | undefined,
  origin: string,
): { readonly log: string; readonly folder: string; readonly vkeys: readonly string[] } {
  if (origin === home.governanceOrigin) {
    return { log: 'governance', folder: home.governanceFolder, vkeys: [home.governanceVkey] };
  }
  const log = origin.slice(home.executionOrigin('').length);
  if (!isLocalName(log) || origin !== home.executionOrigin(log)) {
    throw failure('not_found', 'the checkpoint is of no log of this domain', `its logs are ${home.domain}/…`);
  }
  const vkeys = state?.logByOrigin(origin)?.vkeys ?? [];
  return { log, folder: home.executionLogFolder(log), vkeys };
}

function openWithAny(note: string, vkeys: readonly string[]): SignedHead | Denial {
  let last: Denial = deny('log.unavailable', 'no key of its log is known');
  for (const vkey of vkeys) {
    const key = parseVkey(vkey);
    const checkpoint = isDenial(key) ? key : openCheckpoint(note, key);
    if (!isDenial(checkpoint)) return { size: checkpoint.size, rootHash: checkpoint.rootHash, note };
    last = checkpoint;
  }
  return last;
}

function readHead(folder: string, vkeys: readonly string[]): SignedHead | Denial {
  let note: string;
  try {
    note = readFileSync(join(folder, 'checkpoint'), 'utf8');
  } catch {
    return deny('log.unavailable', 'the log has no published checkpoint');
  }
  const head = openWithAny(note, vkeys);
  return isDenial(head) ? deny(head.code, `its published checkpoint: ${head.detail}`) : head;
}

function describe(verdict: HeadsVerdict, then: SignedHead, now: SignedHead): string {
  switch (verdict) {
    case 'extends':
      return `its ${now.size} entries begin with the ${then.size} that were signed then`;
    case 'forked':
      return `its first ${then.size} entries are not those that were signed then: both heads are signed with its key`;
    case 'rolled_back':
      return `it has ${now.size} entries and had signed for ${then.size}: entries were taken away`;
  }
}
