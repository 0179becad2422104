import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SigningKey } from '../../src/key/index.ts';
import { openSqliteLogReader, verifyLog, withSqliteLog } from '../../src/storage/index.ts';
import { noteVerifier } from '../../src/tlog/index.ts';
import { type Acknowledgements, evidenceOf, idOfEntry, requestOf } from './appended-entry.ts';

export const ORIGIN = 'fault.example/execution';
export const SEED = 5;
const SIGNER = SigningKey.fromSeed(new Uint8Array(32).fill(SEED));
const LOG_KEY = noteVerifier(ORIGIN, SIGNER.publicKey);
const EVIDENCE_KEY = new Uint8Array(32);
const LOCK_TIMEOUT_MS = 5_000;

/** Children start in half the time with it. */
export const COMPILE_CACHE = join(tmpdir(), 'writ-faults-compile-cache');

/** A log that a child left, however it ended. */
export interface LeftLog {
  readonly directory: string;
  readonly effectsFile: string;
  readonly acknowledged: Acknowledgements;
  /** Ids that the resumed run appends: those recorded already must be refused, the others taken. */
  readonly resumedIds?: readonly string[];
}

/**
 * What is wrong with what a child left: acknowledged entries that are gone, effects without a permit in the log, proofs
 * that can be used again, a tree or a published file that does not verify. Empty when all is well. A resumed run writes
 * to the log and publishes it.
 */
export async function auditLeftLog(left: LeftLog): Promise<string[]> {
  const violations: string[] = [];
  try {
    checkBeforeAnyWriter(left, violations);
    await resume(left, violations);
    const { problems, trustedSize, head } = await verifyLog(left.directory, LOG_KEY);
    for (const { where, detail } of problems) violations.push(`log verify: ${where}: ${detail}`);
    if (trustedSize !== head?.size) violations.push(`log verify: trusts ${trustedSize} of ${head?.size}`);
  } catch (error) {
    violations.push(`the log cannot be resumed: ${String(error)}`);
  }
  return violations;
}

/** A reader alone finds it all, before any writer has tidied up. */
function checkBeforeAnyWriter({ directory, acknowledged, effectsFile }: LeftLog, violations: string[]): void {
  const { ids } = acknowledged;
  const effects = existsSync(effectsFile) ? readFileSync(effectsFile, 'utf8').split('\n').slice(0, -1) : [];
  if (ids.size === 0 && effects.length === 0) return;
  const reader = openSqliteLogReader(directory);
  try {
    const recorded = reader.read(0, reader.head().size).map(idOfEntry);
    for (const [index, id] of ids) {
      if (recorded[index] !== id) violations.push(`acknowledged entry ${index} is lost`);
    }
    const permits = new Set(recorded);
    for (const id of effects) if (!permits.has(id)) violations.push(`the permit of ${id} ran unrecorded`);
    if (new Set(effects).size !== effects.length) violations.push('a permit ran twice');
  } finally {
    reader.close();
  }
}

async function resume(left: LeftLog, violations: string[]): Promise<void> {
  const { directory, resumedIds = [] } = left;
  const options = {
    directory,
    origin: ORIGIN,
    signer: SIGNER,
    evidenceKey: EVIDENCE_KEY,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  };
  await withSqliteLog(options, async (log) => {
    const { size } = log.head();
    const recorded = log.read(0, size).map((entry) => idOfEntry(entry) ?? '');
    // Recorded and consumed are one: every recorded id is used up, also those nobody was told about.
    const ids = [...new Set([...recorded, ...resumedIds])];
    const again = await Promise.all(ids.map((id) => log.append(requestOf(id, false))));
    const before = new Set(recorded);
    for (const [at, { kind }] of again.entries()) {
      const id = ids[at] ?? '';
      const expected = before.has(id) ? 'replayed' : 'appended';
      if (kind !== expected) violations.push(`${id} was ${kind} by the resumed run, not ${expected}`);
    }
    const total = ids.length;
    if (log.head().size !== total) violations.push(`the resumed log has ${log.head().size} of ${total}`);
    const counted = { key: 'appended', limit: total, amount: 1 };
    const exhausted = await log.append({ entry: new Uint8Array(), counters: [counted] });
    if (exhausted.kind !== 'exhausted') violations.push('a counter lost what was recorded');
    for (const id of recorded.slice(-50)) {
      if (log.evidenceState(id) !== 'stored') continue;
      const evidence = Buffer.from(log.readEvidence(id, EVIDENCE_KEY) ?? []).toString();
      if (evidence !== evidenceOf(id)) violations.push(`the evidence of ${id} is not what was sealed`);
    }
    await log.checkpoint();
    if (!existsSync(join(directory, 'checkpoint'))) violations.push('no checkpoint was published');
  });
}
