import type { DatabaseSync } from 'node:sqlite';

/** What SQLite finds wrong with the file's structure, at most twenty findings. Reads all of it. */
export function integrityProblems(db: DatabaseSync): string[] {
  return db
    .prepare('PRAGMA integrity_check(20)')
    .all()
    .map(({ integrity_check: finding }) => String(finding))
    .filter((finding) => finding !== 'ok');
}
