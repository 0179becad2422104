import type { Writable } from 'node:stream';
import { FAULTS, type Fault } from '../answer.ts';
import { passStderr } from '../diagnostics.ts';
import { LineSplitter } from '../line-splitter.ts';
import { turnWriter } from '../turn-writer.ts';
import { type UpstreamCommand, UpstreamProcess } from '../upstream-process.ts';
import type { LinkEvents, OpenLink, UpstreamLink } from './upstream-link.ts';

export interface StdioLinkOptions {
  readonly command: UpstreamCommand;
  /** Longest message of the upstream's. */
  readonly maxMessageBytes: number;
  /** For the upstream's stderr. */
  readonly stderr: Writable;
  /** From the end of its input to SIGTERM, and from there to SIGKILL, milliseconds. */
  readonly exitGraceMs?: number;
  readonly termGraceMs?: number;
}

const LAST_WORDS_MS = 200;

/** An upstream that is a process of its own, on stdio (MCP stdio transport). */
export function stdioLink(options: StdioLinkOptions): OpenLink {
  return (events) => new StdioLink(options, events);
}

class StdioLink implements UpstreamLink {
  readonly #options: StdioLinkOptions;
  readonly #events: LinkEvents;
  readonly #process: UpstreamProcess;
  readonly #write: (bytes: Buffer) => void;
  #isGone = false;

  constructor(options: StdioLinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#process = new UpstreamProcess(options.command);
    this.#write = turnWriter(this.#process.stdin);
    const splitter = new LineSplitter({
      maxBytes: options.maxMessageBytes,
      onLine: (line) => {
        if (!this.#isGone) events.onLine(line, undefined);
      },
      onTooLong: () => this.#end(FAULTS.oversized),
    });
    const { stdout, stderr } = this.#process;
    stdout.on('data', (chunk: Buffer) => splitter.push(chunk));
    stdout.on('error', () => {});
    passStderr(stderr, options.stderr);
    void this.#whenGone().then(() =>
      this.#end(this.#process.failedToStart ? FAULTS.notRunning : FAULTS.exited),
    );
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get backlogBytes(): number {
    return this.#process.stdin.writableLength;
  }

  send(line: Buffer): void {
    if (!this.#isGone && !this.#process.isGone && this.#process.stdin.writable) this.#write(line);
  }

  kill(): void {
    this.#end(FAULTS.killed);
  }

  async stop(): Promise<void> {
    const { exitGraceMs = 500, termGraceMs = 300 } = this.#options;
    await this.#process.stop({ afterEndOfInput: exitGraceMs, afterTerm: termGraceMs });
  }

  #end(fault: Fault): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#process.kill('SIGKILL');
    this.#events.onGone(fault);
  }

  /** The process is gone and what it said last has been read; or it closed its output, which comes to the same. */
  async #whenGone(): Promise<void> {
    const { stdout, exited } = this.#process;
    const outputEnded = new Promise<void>((resolve) => stdout.once('close', resolve));
    await Promise.race([exited, outputEnded]);
    // A grandchild may hold the pipe open for ever.
    await Promise.race([
      outputEnded,
      new Promise((resolve) => {
        setTimeout(resolve, LAST_WORDS_MS).unref();
      }),
    ]);
  }
}
