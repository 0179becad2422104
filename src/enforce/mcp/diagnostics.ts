import type { Readable, Writable } from 'node:stream';
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

/**
 * Passes the upstream's stderr on to the operator's, without the control characters a terminal would obey, and drops
 * what the operator's side does not take in time. It is never logged or parsed.
 */
export function passStderr(input: Readable, output: Writable): void {
  input.on('data', (chunk: Buffer) => {
    if (output.writableLength > MAX_BACKLOG_BYTES) return;
    output.write(withoutControls(chunk));
  });
  input.on('error', () => {});
}

/** Replaces C0 controls but tab, newline and carriage return, and DEL, by `?`. */
function withoutControls(chunk: Buffer): Buffer {
  const clean = Buffer.from(chunk);
  for (let index = 0; index < clean.byteLength; index += 1) {
    const byte = clean[index] ?? 0;
    if ((byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f)
      clean[index] = 0x3f;
  }
  return clean;
}

function isPowerOfTen(count: number): boolean {
  return Number.isInteger(Math.log10(count));
}
