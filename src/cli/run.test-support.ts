import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { JsonObject } from '../codec/index.ts';
import { run } from './run.ts';
import type { Surroundings } from './surroundings.ts';

/** What a command line left behind. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** stdout as JSON; throws where it is not exactly one document. */
  readonly json: JsonObject;
}

export interface RunOptions {
  readonly cwd: string;
  readonly terminal?: boolean;
  readonly colours?: boolean;
  readonly homeFolder?: string;
  readonly nowMs?: number;
  readonly stdin?: string | Uint8Array;
}

class Capture extends Writable {
  readonly isTTY: boolean;
  readonly columns = 120;
  text = '';

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

/** Runs a command line in this process, in surroundings of its own. */
export async function writ(options: RunOptions, ...argv: readonly string[]): Promise<Ran> {
  const stdout = new Capture(options.terminal === true);
  const stderr = new Capture(options.terminal === true);
  const surroundings: Surroundings = {
    cwd: options.cwd,
    stdin: Readable.from(options.stdin === undefined ? [] : [options.stdin]),
    stdout,
    stderr,
    homeFolder: options.homeFolder,
    colours: options.colours ?? true,
    path: [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)],
    environment: process.env,
    user: 'tester',
    program: ['writ'],
    clockMs: () => options.nowMs ?? Date.now(),
  };
  const code = await run(argv, surroundings);
  return {
    code,
    out: stdout.text,
    err: stderr.text,
    get json() {
      return JSON.parse(stdout.text) as JsonObject;
    },
  };
}

/** An empty folder that is gone after `use`, and is outside any trust domain. */
export function makeFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'writ-cli-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
