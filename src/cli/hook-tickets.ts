import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Home } from '../governor/index.ts';

/** A use of a tool, as Claude Code names it in all hooks of it. */
export interface NamedUse {
  readonly sessionId: string;
  readonly useId: string;
}

const MAX_TICKETS = 4096;
const MAX_AGE_MS = 86_400_000;
const MAX_TICKET_BYTES = 128;
const EXECUTION = /^[0-9a-f-]{36}$/;

/**
 * Which execution a use of a tool was permitted as, kept for the hook that tells its outcome: a file each, in a folder that
 * only this user can reach. It is no authority: the log says what was permitted, and what has an outcome already.
 */
export class HookTickets {
  readonly #folder: string;

  constructor(home: Home) {
    this.#folder = join(dirname(home.daemonFile), 'hooks');
  }

  /** Whether one more may be kept. What nobody came for in a day is forgotten: its outcome stays unknown. */
  hasRoom(nowMs: number): boolean {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const names = readdirSync(this.#folder);
    if (names.length < MAX_TICKETS / 2) return true;
    const kept = names.filter((name) => {
      const file = join(this.#folder, name);
      const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: nowMs };
      if (nowMs - mtimeMs <= MAX_AGE_MS) return true;
      rmSync(file, { force: true });
      return false;
    });
    return kept.length < MAX_TICKETS;
  }

  /** False where there is one of that name: two uses cannot be told apart, and neither gets the other's outcome. */
  keep(use: NamedUse, executionId: string): boolean {
    try {
      writeFileSync(this.#fileOf(use), executionId, { mode: 0o600, flag: 'wx' });
      return true;
    } catch {
      return false;
    }
  }

  /** Takes one, once: of several that ask for it at a time one gets it. */
  take(use: NamedUse): string | undefined {
    const file = this.#fileOf(use);
    const taken = `${file}.${process.pid}`;
    try {
      renameSync(file, taken);
    } catch {
      return undefined;
    }
    const text = readFileSync(taken, 'latin1').slice(0, MAX_TICKET_BYTES);
    rmSync(taken, { force: true });
    return EXECUTION.test(text) ? text : undefined;
  }

  #fileOf({ sessionId, useId }: NamedUse): string {
    const name = createHash('sha256')
      .update(JSON.stringify([sessionId, useId]))
      .digest('hex');
    return join(this.#folder, name);
  }
}
