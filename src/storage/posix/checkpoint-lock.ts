import { DatabaseSync } from 'node:sqlite';
import { unavailableBecause } from '../driver-fault.ts';

const WAIT_MS = 5_000;

/**
 * Runs `critical` while no other process or thread moves the checkpoint. The lock is the operating system's, taken
 * through an empty SQLite database because Node has no flock: it dies with its holder and cannot go stale.
 *
 * INVARIANT: `critical` is synchronous. Were the lock held across an await, a second caller on this thread would wait for
 * it without ever letting the first go on.
 */
export function withCheckpointLock<T>(path: string, critical: () => T): T {
  const lock = new DatabaseSync(path, { timeout: WAIT_MS });
  try {
    try {
      lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    } catch (error) {
      throw unavailableBecause(`${path} cannot be locked`, error);
    }
    return critical();
  } finally {
    lock.close();
  }
}
