import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCS = join(import.meta.dirname, '..', '..', 'docs');
const BEGIN = '<!-- bench:peers begin -->';
const END = '<!-- bench:peers end -->';

export interface Documents {
  readonly measured: string;
  readonly headlines: string;
  /** SVG. */
  readonly bars: string;
  readonly line: string;
}

/** Puts what was measured between the markers of the pages about it, keeping what people wrote, and the charts beside them. */
export function writeDocuments({ measured, headlines, bars, line }: Documents): void {
  replaceMarked('benchmarks-peers.md', measured);
  replaceMarked('benchmarks.md', headlines);
  writeFileSync(join(DOCS, 'benchmarks-peers.svg'), bars);
  writeFileSync(join(DOCS, 'benchmarks-log-size.svg'), line);
}

function replaceMarked(name: string, markdown: string): void {
  const path = join(DOCS, name);
  const text = readFileSync(path, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/${name} has lost its markers ${BEGIN} and ${END}`);
  writeFileSync(path, `${text.slice(0, begin + BEGIN.length)}\n\n${markdown}\n\n${text.slice(end)}`);
}
