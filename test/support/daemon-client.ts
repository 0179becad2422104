import { Agent, request } from 'node:http';
import { Writable } from 'node:stream';
import type { JsonObject } from '../../src/codec/index.ts';
import { type Clock, type Home, programVersion, systemClock } from '../../src/governor/index.ts';
import { createLogger, Daemon } from '../../src/server/daemon/index.ts';
import { must } from './trust-domain.ts';

/** A daemon in this process, which logs nowhere. */
export async function startDaemon(home: Home, clock: Clock = systemClock): Promise<Daemon> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return must(
    await Daemon.start({ home, clock, version: programVersion(), logger: createLogger(nowhere), drainMs: 0 }),
  );
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** HTTP on a Unix socket or a port of this machine, on connections that are kept. */
export class HttpClient {
  readonly #at: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });

  constructor(at: string | number) {
    this.#at = typeof at === 'string' ? { socketPath: at } : { host: '127.0.0.1', port: at };
  }

  send(
    method: string,
    path: string,
    { headers = {}, body }: { readonly headers?: Record<string, string>; readonly body?: string } = {},
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { ...this.#at, agent: this.#agent, method, path, headers: { host: 'writ.test', ...headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  postJson(path: string, json: JsonObject, headers: Record<string, string> = {}): Promise<Reply> {
    return this.send('POST', path, {
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(json),
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
