import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Diagnose } from './ports.ts';

const MAX_KINDS = 256;
const MAX_BACKLOG_BYTES = 1024 * 1024;

/**
 * Writes events to the operator's terminal, each kind a few times and then ever more rarely: a peer that misbehaves a
 * million times does not fill anybody's disk.
 */
export function createDiagnose(output: Writable, name: string): Diagnose {
  const counts = new Map<string, number>();
  return (event) => {
    const kind = counts.has(event) || counts.size < MAX_KINDS ? event : 'further events';
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (count > 3 && !isPowerOfTen(count)) return;
    output.write(`writ mcp ${name}: ${kind}${count > 3 ? ` (${count} times)` : ''}\n`);
  };
}

/** Control characters, the C1 ones (`U+009B` is CSI) included, and what reorders text or hides in it; but not tab, LF, CR. */
const TERMINAL_CONTROLS = /[^\P{Cc}\t\n\r]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Passes the upstream's stderr on to the operator's, without the characters a terminal would obey, and drops what the
 * operator's side does not take in time. It is never logged or parsed.
 */
export function passStderr(input: Readable, output: Writable): void {
  // Of a character that lies in two chunks, both halves are needed.
  const decoder = new StringDecoder('utf8');
  input.on('data', (chunk: Buffer) => {
    if (output.writableLength > MAX_BACKLOG_BYTES) return;
    output.write(decoder.write(chunk).replace(TERMINAL_CONTROLS, '?'));
  });
  input.on('error', () => {});
}

function isPowerOfTen(count: number): boolean {
  return Number.isInteger(Math.log10(count));
}
