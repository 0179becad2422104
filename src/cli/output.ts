import type { Writable } from 'node:stream';
import Table from 'cli-table3';
import type { CliProblem } from './cli-error.ts';
import type { Surroundings } from './surroundings.ts';
import { bad, faint, type Part, painter, printable, printableJson } from './text.ts';

/** Conventional exit code of a program whose reader went away (128 + SIGPIPE). */
const BROKEN_PIPE = 141;

const SPINNER_MS = 120;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

const watched = new WeakSet<Writable>();

/**
 * Everything a command says. With `--json`, stdout carries exactly one JSON document (or JSON lines where a command
 * streams); otherwise text for people, as a table on a terminal and tab-separated where it is piped.
 */
export class Output {
  readonly json: boolean;
  readonly #stdout: Surroundings['stdout'];
  readonly #stderr: Surroundings['stderr'];
  readonly #paint: (part: Part) => string;
  readonly #paintNote: (part: Part) => string;

  readonly #keepsStdout: boolean;

  /** @param options.keepsStdout stdout belongs to a protocol: problems go to stderr, JSON or not. */
  constructor(
    { stdout, stderr, colours }: Surroundings,
    options: { readonly json: boolean; readonly keepsStdout?: boolean },
  ) {
    this.json = options.json;
    this.#keepsStdout = options.keepsStdout === true;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#paint = painter(colours && stdout.isTTY === true);
    this.#paintNote = painter(colours && stderr.isTTY === true);
  }

  /** A command's answer: the JSON value, or what `people` prints. */
  answer(value: unknown, people: () => void): void {
    if (this.json) writeText(this.#stdout, `${printableJson(JSON.stringify(value))}\n`);
    else people();
  }

  line(...parts: readonly Part[]): void {
    writeText(this.#stdout, `${parts.map(this.#paint).join('')}\n`);
  }

  /** Several lines of our own making (help, file content already made safe). */
  text(text: string): void {
    writeText(this.#stdout, text.endsWith('\n') ? text : `${text}\n`);
  }

  /** Rows under headings: drawn for a terminal, tab-separated without headings otherwise. */
  table(head: readonly string[], rows: readonly (readonly Part[])[]): void {
    const cells = rows.map((row) => row.map(this.#paint));
    if (this.#stdout.isTTY !== true) {
      for (const row of cells) writeText(this.#stdout, `${row.join('\t')}\n`);
      return;
    }
    const table = new Table({
      head: head.map((title) => this.#paint(faint(title))),
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
      chars: NO_BORDERS,
    });
    table.push(...cells);
    writeText(this.#stdout, `${table.toString()}\n`);
  }

  /** One row of a table that grows while it is read: columns of fixed width on a terminal. */
  columns(row: readonly Part[], widths: readonly number[]): void {
    if (this.#stdout.isTTY !== true) {
      writeText(this.#stdout, `${row.map(this.#paint).join('\t')}\n`);
      return;
    }
    const cells = row.map((part, index) => {
      const text = printable(typeof part === 'string' ? part : part.text);
      return this.#paint(part) + ' '.repeat(Math.max(0, (widths[index] ?? 0) - text.length));
    });
    writeText(this.#stdout, `${cells.join('  ').trimEnd()}\n`);
  }

  /** A remark beside the answer, on stderr; not part of the JSON. */
  note(...parts: readonly Part[]): void {
    writeText(this.#stderr, `${parts.map(this.#paintNote).join('')}\n`);
  }

  problem({ code, message, hint }: CliProblem): void {
    if (this.json) {
      const error = { code, message, ...(hint === undefined ? {} : { hint }) };
      const stream = this.#keepsStdout ? this.#stderr : this.#stdout;
      writeText(stream, `${printableJson(JSON.stringify({ error }))}\n`);
      return;
    }
    const [first = '', ...evidence] = message.split('\n');
    this.note(bad('error'), ' ', first, ...(code === 'usage' ? [] : [faint(` (${code})`)]));
    // Signed heads that prove what the first line says; indented, so that no line of theirs passes for one of ours.
    for (const line of evidence) this.note(faint('    '), line);
    if (hint !== undefined) this.note(faint('→ '), hint);
  }

  /**
   * Shows on stderr, where that is a terminal, that something takes its time; also beside JSON, which goes to stdout.
   *
   * @param work may tell how far it is, as often as it likes.
   */
  async during<T>(what: string, work: (tell: (done: number, of: number) => void) => Promise<T>): Promise<T> {
    if (this.#stderr.isTTY !== true || (this.json && this.#stdout.isTTY === true))
      return work(() => undefined);
    let frame = 0;
    let share = '';
    const draw = () => {
      frame += 1;
      const text = `${SPINNER[frame % SPINNER.length]} ${what}${share}`;
      this.#stderr.write(`\r${this.#paintNote(faint(text))}\u001b[K`);
    };
    const timer = setInterval(draw, SPINNER_MS);
    draw();
    try {
      return await work((done, of) => {
        share = of > 0 ? `  ${done} of ${of} (${Math.floor((done / of) * 100)} %)` : '';
      });
    } finally {
      clearInterval(timer);
      this.#stderr.write('\r\u001b[K');
    }
  }
}

/** Writes what a person reads; whoever stops reading, as `head` does, ends the program. */
export function writeText(stream: Writable, text: string): void {
  if (!watched.has(stream)) {
    watched.add(stream);
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Nobody reads on: that is no error of ours, and there is no one left to tell.
      process.exit(error.code === 'EPIPE' ? BROKEN_PIPE : 1);
    });
  }
  stream.write(text);
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
} as const;
