import type { Socket } from 'node:net';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type Clock, type Home, SupervisedProcess } from '../../governor/index.ts';
import type { SupervisedConfig } from '../config/index.ts';
import type { Logger } from '../daemon/logger.ts';

export interface SupervisedProgramsOptions {
  readonly home: Home;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly socketPath: string;
  readonly programs: readonly SupervisedConfig[];
}

/** More are refused: each is a process with pipes. */
const MAX_PROCESSES = 64;

/** The programs that the daemon is configured to start, and the processes of them that run. */
export class SupervisedPrograms {
  readonly #options: SupervisedProgramsOptions;
  readonly #processes = new Set<SupervisedProcess>();
  /** INVARIANT: by the object that was made together with the child, and by nothing that anybody says. */
  readonly #byConnection = new WeakMap<object, SupervisedProcess>();
  /** Serves a connection, once there is something that does. */
  #serve: ((connection: Socket) => void) | undefined;
  #starting = 0;
  #closed = false;

  constructor(options: SupervisedProgramsOptions) {
    this.#options = options;
  }

  /** @param serve takes the daemon's end of each process's connection. */
  serveWith(serve: (connection: Socket) => void): void {
    this.#serve = serve;
  }

  has(name: string): boolean {
    return this.#options.programs.some((program) => program.name === name);
  }

  /** Which process is at the other end of a connection, where it was given to one. */
  processOf(connection: object): SupervisedProcess | undefined {
    return this.#byConnection.get(connection);
  }

  async start(name: string): Promise<SupervisedProcess | Denial> {
    const { home, clock, logger, socketPath, programs } = this.#options;
    const program = programs.find((one) => one.name === name);
    if (program === undefined) return deny('request.malformed', 'no such program is configured');
    if (this.#closed || this.#processes.size + this.#starting >= MAX_PROCESSES) {
      return deny('log.unavailable', 'no further program is started');
    }
    this.#starting += 1;
    const environment = { WRIT_HOME: home.folder };
    const started = await SupervisedProcess.start(program, { clock, environment, socketPath }).finally(() => {
      this.#starting -= 1;
    });
    if (isDenial(started)) {
      logger.error({ program: name, detail: started.detail }, 'a supervised program was not started');
      return started;
    }
    const { child, connection } = started;
    this.#processes.add(started);
    this.#byConnection.set(connection, started);
    connection.on('error', () => undefined);
    child.once('exit', (code, signal) => {
      this.#processes.delete(started);
      connection.destroy();
      logger.info({ program: name, pid: child.pid, code, signal }, 'a supervised program ended');
    });
    logger.info({ program: name, pid: child.pid }, 'a supervised program started');
    if (this.#closed) started.end();
    else this.#serve?.(connection);
    return started;
  }

  /** Ends them all. */
  close(): void {
    this.#closed = true;
    for (const one of this.#processes) one.end();
  }
}
