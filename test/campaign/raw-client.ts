import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';

export interface Answer {
  readonly result?: JsonObject;
  readonly error?: JsonObject;
}

const MAX_STDERR_CHARACTERS = 4096;

/** A gateway process and the lines to and from it, with nothing in between that could hide what was said. */
export class RawClient {
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #onAnswer: (id: number, answer: Answer) => void;
  #stderr = '';

  constructor(args: readonly string[], onAnswer: (id: number, answer: Answer) => void) {
    this.#onAnswer = onAnswer;
    this.#child = spawn(process.execPath, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-MAX_STDERR_CHARACTERS);
    });
    const lines = createInterface({ input: this.#child.stdout });
    lines.on('line', (line) => this.#take(line));
    // A killed gateway's answers may still be in the pipe: they reached the client.
    const read = new Promise<void>((resolve) => lines.once('close', resolve));
    const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.ended = Promise.all([exited, read]).then(([exit]) => exit);
  }

  get stderr(): string {
    return this.#stderr;
  }

  send(message: JsonObject): void {
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  request(id: number, method: string, params: JsonObject): void {
    this.send({ id, method, params });
  }

  closeInput(): void {
    this.#child.stdin.end();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #take(line: string): void {
    const message = parseJsonObject(line, 'request.malformed');
    // A line cut short by the kill is not an answer.
    if (isDenial(message) || typeof message.id !== 'number') return;
    const { id, result, error } = message;
    this.#onAnswer(id, { ...objectOf('result', result), ...objectOf('error', error) });
  }
}

function objectOf(name: 'result' | 'error', value: JsonValue | undefined): Answer {
  return value !== undefined && isJsonObject(value) ? { [name]: value } : {};
}
