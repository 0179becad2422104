import { type ChildProcess, spawn } from 'node:child_process';

/** The least client there can be: newline-delimited JSON-RPC, so that what is timed is the server's side. */
export class RawClient {
  readonly process: ChildProcess;
  readonly startedAt = performance.now();
  readonly #waiting = new Map<number, (message: RawAnswer) => void>();
  #buffer = '';
  #nextId = 1;

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#buffer += chunk;
      for (let end = this.#buffer.indexOf('\n'); end >= 0; end = this.#buffer.indexOf('\n')) {
        const message = JSON.parse(this.#buffer.slice(0, end)) as RawAnswer;
        this.#buffer = this.#buffer.slice(end + 1);
        if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
      }
    });
  }

  /** Milliseconds from spawn to the answer of `initialize`. */
  async initialize(): Promise<number> {
    await this.request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'bench', version: '1' },
    });
    const milliseconds = performance.now() - this.startedAt;
    this.process.stdin?.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    return milliseconds;
  }

  request(method: string, params: object): Promise<RawAnswer> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, (message) => {
        this.#waiting.delete(id);
        resolve(message);
      });
      this.process.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    });
  }

  async call(name: string, args: object): Promise<void> {
    const { error, result } = await this.request('tools/call', { name, arguments: args });
    if (error !== undefined || result?.isError) throw new Error(JSON.stringify(error ?? result));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.process.on('close', () => resolve());
      this.process.stdin?.end();
    });
  }
}

export interface RawAnswer {
  readonly id?: number;
  readonly result?: { readonly isError?: boolean };
  readonly error?: unknown;
}
