/**
 * What can be wrong with a log, and what to do about it. Closed, append-only: programs may rely on the names. A caller
 * of a governor learns none of this; to it every one of them is `log.unavailable`.
 */
export const LOG_FAULTS = {
  disk_full:
    'free space on its file system: a daemon or gateway then goes on by itself, anything else is started again; everything acknowledged is there',
  files_exhausted:
    'raise how many files may be open (ulimit -n): a daemon or gateway goes on by itself once some are free, anything else is started again',
  read_only: 'let the account that runs Writ write to it (owner, permissions, mount), then start again',
  disk_failed: 'check the disk before starting again, then run "writ log verify"',
  locked: 'a log has one writer: stop it, or use another log',
  second_writer: 'find out what else writes to log.sqlite and stop it, then run "writ log verify"',
  damaged: 'run "writ log verify" to see what still can be trusted, and restore log.sqlite from a copy',
  entry_altered: 'entries before it can be trusted; restore log.sqlite from a copy and run "writ log verify"',
  rolled_back: 'restore a newer log.sqlite; where there is none, start a new log and keep this one as it is',
  history_differs: 'keep every copy and ask who wrote to it; nothing mends this but the right log.sqlite',
  foreign_entries:
    'find out who else writes to log.sqlite, and restore a copy that has none of their entries',
  tile_damaged: 'stop the log and run "writ log rebuild": the database has what the tile should hold',
  checkpoint_missing: 'start the log once, or run "writ log rebuild": it is signed again from the database',
  checkpoint_damaged: 'stop the log and run "writ log rebuild", under the key that signed this log',
  checkpoint_behind:
    'a publication is under way or was cut short, or an older checkpoint was put back: the next one, or "writ log rebuild", moves it on',
  checkpoint_moved: 'find out what else writes to the folder and stop it, then start again',
  key_unknown: 'run "writ doctor": a log is checked under the key that the governance log enrolls for it',
  unwitnessed: 'run "writ log publish" while the witnesses of the policy can be reached',
  failed: 'run "writ log verify", then start again',
} as const satisfies Record<string, string>;

export type LogFault = keyof typeof LOG_FAULTS;

export function isLogFault(text: unknown): text is LogFault {
  return typeof text === 'string' && Object.hasOwn(LOG_FAULTS, text);
}
