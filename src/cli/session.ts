import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import type { Home } from '../governor/index.ts';
import { denied, failure } from './cli-error.ts';
import { Output } from './output.ts';
import type { Surroundings } from './surroundings.ts';

const HOME_FOLDER = '.writ';

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly home?: string;
}

/** What one call of a command works with. */
export class Session {
  readonly output: Output;
  readonly surroundings: Surroundings;
  readonly #options: GlobalOptions;

  constructor(surroundings: Surroundings, options: GlobalOptions) {
    this.surroundings = surroundings;
    this.output = new Output(surroundings, { json: options.json === true });
    this.#options = options;
  }

  /** Whole Unix seconds. */
  get nowSeconds(): number {
    return Math.floor(this.surroundings.clockMs() / 1000);
  }

  /** Whether the trust domain was named, and not looked for. */
  get namesHome(): boolean {
    return this.#options.home !== undefined;
  }

  /** `--home` as it was given. */
  get homeOption(): string | undefined {
    return this.#options.home;
  }

  /** `--home`, the nearest `.writ` at or above the working directory, or `WRIT_HOME`. */
  async findHomeFolder(): Promise<string | undefined> {
    const { findHomeFolder } = await import('../governor/index.ts');
    const { home } = this.#options;
    const { cwd, homeFolder } = this.surroundings;
    if (home !== undefined) return this.#namedFolder(home);
    return findHomeFolder(cwd) ?? (homeFolder === undefined ? undefined : this.#namedFolder(homeFolder));
  }

  /** Where `writ init` makes a trust domain when there is none yet. */
  get newHomeFolder(): string {
    const { cwd, homeFolder } = this.surroundings;
    return resolve(cwd, this.#options.home ?? homeFolder ?? HOME_FOLDER);
  }

  /** Opens the trust domain, or ends the command saying how to get one. */
  async openHome(): Promise<Home> {
    const { openHome } = await import('../governor/index.ts');
    const folder = await this.findHomeFolder();
    if (folder === undefined) {
      throw failure(
        'home.missing',
        `there is no trust domain here: no ${HOME_FOLDER} folder at or above ${this.surroundings.cwd}`,
        'run "writ init" in your project, or name one with --home DIR',
      );
    }
    const home = openHome(folder);
    if (isDenial(home))
      throw denied(home, 'check the folder with "writ doctor", or name another with --home DIR');
    return home;
  }

  /** Who acts, as governance events name it. */
  actor(home: Pick<Home, 'domain'>): string {
    return `spiffe://${home.domain}/user/${this.userName}`;
  }

  /** The account's name as a segment of a SPIFFE ID. */
  get userName(): string {
    return this.surroundings.user.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 64) || '_';
  }

  /** Accepts the folder itself or the one that holds it. */
  #namedFolder(name: string): string {
    const folder = resolve(this.surroundings.cwd, name);
    const inside = join(folder, HOME_FOLDER);
    return !existsSync(join(folder, 'domain.json')) && existsSync(join(inside, 'domain.json'))
      ? inside
      : folder;
  }
}
