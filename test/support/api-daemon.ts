import { Writable } from 'node:stream';
import type { Role } from '../../src/governance/index.ts';
import {
  admitCaller,
  type Clock,
  type DecisionTracer,
  programVersion,
  systemClock,
} from '../../src/governor/index.ts';
import { newApiToken, tokenCallerId } from '../../src/server/access/index.ts';
import { type Config, DEFAULT_CONFIG } from '../../src/server/config/index.ts';
import { createLogger, Daemon, type DaemonOptions } from '../../src/server/daemon/index.ts';
import { TestSession } from './test-session.ts';
import { must, nowSeconds, TestDomain } from './trust-domain.ts';

export interface ApiDaemonOptions {
  /** Cedar. Default: everything is permitted. */
  readonly policy?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly tracer?: DecisionTracer;
  /** Gets each line that the daemon logs. */
  readonly log?: (line: string) => void;
}

/** A daemon of its own domain that listens on loopback. Close it, then dispose of its domain. */
export class ApiDaemon {
  readonly domain: TestDomain;
  readonly #options: DaemonOptions;
  #daemon: Daemon;

  private constructor(domain: TestDomain, options: DaemonOptions, daemon: Daemon) {
    this.domain = domain;
    this.#options = options;
    this.#daemon = daemon;
  }

  get daemon(): Daemon {
    return this.#daemon;
  }

  /** Another daemon in its place, of the same domain; with port 0, on another port. */
  async restart(): Promise<void> {
    await this.#daemon.close();
    this.#daemon = must(await Daemon.start(this.#options));
  }

  static async start(
    change: Partial<Config> = {},
    clock: Clock = systemClock,
    { policy, environment = {}, log, tracer }: ApiDaemonOptions = {},
  ): Promise<ApiDaemon> {
    const domain = await TestDomain.create(policy);
    const listen = { address: '127.0.0.1', port: 0, allowInsecureLoopback: true };
    const write = (chunk: Buffer, _encoding: string, done: () => void) => {
      log?.(String(chunk));
      done();
    };
    const logger = createLogger(new Writable({ write }));
    const config = { ...DEFAULT_CONFIG, listen, ...change };
    const { home } = domain;
    const base = { home, clock, version: programVersion(), logger, drainMs: 0, config, environment };
    const options = { ...base, ...(tracer && { tracer }) };
    return new ApiDaemon(domain, options, must(await Daemon.start(options)));
  }

  get url(): string {
    return this.daemon.url ?? '';
  }

  /** A client with a token of a new caller in this role; each is named for it. */
  async client(role: Role, name: string = role): Promise<ApiClient> {
    const { token, hash } = newApiToken();
    const caller = tokenCallerId(this.domain.home.domain, name);
    const by = { actor: 'spiffe://local/user/test', atSeconds: nowSeconds() };
    must(await admitCaller(this.domain.home, { caller, role, hash }, by));
    return new ApiClient(this.url, token, caller);
  }

  async close(): Promise<void> {
    await this.daemon.close();
    this.domain.dispose();
  }
}

export class ApiClient {
  readonly caller: string;
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string, caller: string) {
    this.#url = url;
    this.#token = token;
    this.caller = caller;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(new URL(path, this.#url), {
      headers: { authorization: `Bearer ${this.#token}`, ...headers },
    });
  }

  /** As a line of a request. */
  get authorization(): string {
    return `Authorization: Bearer ${this.#token}`;
  }

  async session(point: string): Promise<TestSession> {
    const url = new URL(`/v1/enforcement-points/${point}/session`, this.#url.replace(/^http/, 'ws'));
    const session = await TestSession.connect(url.href, {
      headers: { authorization: `Bearer ${this.#token}` },
    });
    if (typeof session === 'number') throw new Error(`no session: ${session}`);
    return session;
  }

  /** @param body sent as it is where it is text. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(new URL(path, this.#url), {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }
}
