import { deriveCommitKey } from './commit-seal.ts';
import { openInlineWriter } from './inline-writer.ts';
import { SqliteLog, type SqliteLogOptions } from './sqlite-log.ts';
import { openThreadWriter } from './thread-writer.ts';

const EVIDENCE_KEY_BYTES = 32;
const SHORT_USE_LOCK_TIMEOUT_MS = 5_000;

/**
 * Opens a log for appending, creating it where there is none. Its writer runs in a thread of its own.
 * @throws LogLocked when it has a writer already; LogUnavailable when its database, tree and checkpoint don't belong together.
 */
export async function openSqliteLog(options: SqliteLogOptions): Promise<SqliteLog> {
  return SqliteLog.open(options, await openThreadWriter(writerOptions(options)));
}

/**
 * Opens a log for a few appends within one command and closes it again, published. Waits up to five seconds for another
 * short writer; commits run on the calling thread.
 */
export async function withSqliteLog<T>(
  options: SqliteLogOptions,
  use: (log: SqliteLog) => Promise<T>,
): Promise<T> {
  const log = await openShortSqliteLog(options);
  try {
    return await use(log);
  } finally {
    await log.close();
  }
}

/** The same for a process that closes the log itself, soon. */
export function openShortSqliteLog(options: SqliteLogOptions): Promise<SqliteLog> {
  const lockTimeoutMs = options.lockTimeoutMs ?? SHORT_USE_LOCK_TIMEOUT_MS;
  return SqliteLog.open(options, openInlineWriter({ ...writerOptions(options), lockTimeoutMs }));
}

/** Only what the writer needs crosses into its thread: a signer stays where it is. */
function writerOptions({ directory, origin, signer, evidenceKey, lockTimeoutMs }: SqliteLogOptions) {
  if (evidenceKey !== undefined && evidenceKey.byteLength !== EVIDENCE_KEY_BYTES) {
    throw new TypeError('an evidence key has 32 bytes');
  }
  return {
    directory,
    origin,
    commitKey: deriveCommitKey(signer, origin),
    ...(evidenceKey && { evidenceKey }),
    ...(lockTimeoutMs !== undefined && { lockTimeoutMs }),
  };
}
