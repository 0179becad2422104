import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { type Digest, digestOf } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { Component } from '../../environment/index.ts';

/** A file that is run: its bytes as they were hashed, which are the bytes that run. */
export interface ProgramFile {
  readonly path: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A program, resolved once. */
export interface Program extends ProgramFile {
  /** Of a script: what runs it, and the argument its first line gives that. */
  readonly interpreter?: ProgramFile & { readonly argument?: string };
}

const MAX_PROGRAM_BYTES = 512 * 1024 * 1024;
const MAX_PATH_CHARACTERS = 4096;
/** What the kernel reads of a script's first line. */
const MAX_SHEBANG_BYTES = 256;
const SEARCHED = ['/usr/local/bin', '/usr/bin', '/bin'];

/**
 * Reads a program and, for a script, its interpreter. Symbolic links are resolved now and never again.
 *
 * @returns `request.malformed` where the file cannot be run.
 */
export function readProgram(path: string): Program | Denial {
  const file = readProgramFile(path);
  if (isDenial(file)) return file;
  const line = shebangOf(file.bytes);
  if (line === undefined) return file;
  if (isDenial(line)) return line;
  const interpreter = readProgramFile(line.path);
  if (isDenial(interpreter)) return deny(interpreter.code, `the interpreter: ${interpreter.detail}`);
  // The kernel would go on; nobody writes that on purpose.
  if (shebangOf(interpreter.bytes) !== undefined) {
    return deny('request.malformed', 'the interpreter of the program is a script itself');
  }
  const { argument } = line;
  return { ...file, interpreter: { ...interpreter, ...(argument === undefined ? {} : { argument }) } };
}

/** The program as components of the measurement. */
export function programComponents({ path, digest, interpreter }: Program): readonly Component[] {
  const files = [{ path, digest }, ...(interpreter === undefined ? [] : [interpreter])];
  return files.map((file) => ({ kind: 'program', name: basename(file.path), digest: file.digest }));
}

function readProgramFile(path: string): ProgramFile | Denial {
  if (!isAbsolute(path) || path.length > MAX_PATH_CHARACTERS || path.includes('\0')) {
    return deny('request.malformed', 'the program is not named by an absolute path');
  }
  let file: number | undefined;
  try {
    const real = realpathSync(path);
    // Opening a FIFO would otherwise wait for its writer.
    file = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = fstatSync(file);
    if (!status.isFile() || (status.mode & 0o111) === 0) {
      return deny('request.malformed', 'the program is not an executable file');
    }
    if (status.size > MAX_PROGRAM_BYTES) return deny('request.too_large', 'the program is too large');
    const bytes = readWhole(file, status.size);
    return bytes === undefined
      ? deny('request.malformed', 'the program changed while it was read')
      : { path: real, digest: digestOf(bytes), bytes };
  } catch {
    return deny('request.malformed', 'the program cannot be read');
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function readWhole(file: number, size: number): Uint8Array | undefined {
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    const read = readSync(file, bytes, at, size - at, at);
    if (read === 0) return undefined;
    at += read;
  }
  return readSync(file, Buffer.alloc(1), 0, 1, size) === 0 ? bytes : undefined;
}

/** The interpreter that a first line names; through `env`, the one that it would find. */
function shebangOf(
  bytes: Uint8Array,
): { readonly path: string; readonly argument?: string } | Denial | undefined {
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) return undefined;
  const head = Buffer.from(bytes.subarray(2, MAX_SHEBANG_BYTES)).toString('latin1');
  const end = head.indexOf('\n');
  if (end < 0) return deny('request.malformed', 'the first line of the script is too long');
  const [, path = '', argument = ''] = /^[ \t]*(\S+)[ \t]*(.*?)[ \t]*$/.exec(head.slice(0, end)) ?? [];
  if (!isAbsolute(path)) return deny('request.malformed', 'the script names no interpreter');
  if (basename(path) !== 'env') return argument === '' ? { path } : { path, argument };
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(argument)) {
    return deny('request.malformed', 'the script asks env for more than an interpreter');
  }
  const found = SEARCHED.map((folder) => `${folder}/${argument}`).find(isThere);
  return found === undefined
    ? deny('request.malformed', 'the interpreter of the script is not there')
    : { path: found };
}

function isThere(path: string): boolean {
  try {
    realpathSync(path);
    return true;
  } catch {
    return false;
  }
}
