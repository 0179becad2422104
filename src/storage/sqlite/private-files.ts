import { chmodSync, mkdirSync, statSync } from 'node:fs';

/**
 * Creates the folder of a log for its owner alone. One that is there may be readable by others (its tiles are published)
 * but not writable: whoever can write it can exchange the database.
 * @throws Error saying so.
 */
export function makePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if ((statSync(directory).mode & 0o022) !== 0) {
    throw new Error(`it can be written by others; run chmod go-w ${directory}`);
  }
}

/**
 * Takes the rights of others to a file that SQLite has opened (0600). By its path, since closing a descriptor of one's own
 * would give up every lock that this process holds on the file (fcntl).
 */
export function makePrivateFile(path: string): void {
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
}
