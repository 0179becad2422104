import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { PROGRAM } from '../../examples/support/program.ts';
import { writ } from '../../src/cli/run.test-support.ts';
import type { JsonObject } from '../../src/codec/index.ts';

export { PROGRAM };

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** The real program, in a process of its own. */
export function startWrit(cwd: string, ...args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd, stdio: 'pipe' });
}

export async function endOf(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8');
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, out, err }));
  });
}

export async function runWrit(cwd: string, ...args: readonly string[]): Promise<Ended> {
  const child = startWrit(cwd, ...args);
  child.stdin.end();
  return endOf(child);
}

/** The answer of a command that must succeed, run in this process: the same code without the start of a program. */
export async function writJson(cwd: string, ...args: readonly string[]): Promise<JsonObject> {
  const ran = await writ({ cwd }, '--json', ...args);
  if (ran.code !== 0) throw new Error(`writ ${args.join(' ')} exited with ${ran.code}: ${ran.out}${ran.err}`);
  return ran.json;
}

/** A real MCP client on the command that `writ init` prints. */
export async function connect(cwd: string, ...args: readonly string[]): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [PROGRAM, 'mcp', ...args],
      cwd,
      stderr: 'ignore',
    }),
  );
  return client;
}

/** The first line of a program that prints JSON once it is ready. */
export function readyLine(child: ChildProcessWithoutNullStreams): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(JSON.parse(chunk.toString()) as JsonObject));
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
}

/** The code of a denial, or `permitted`. */
export async function codeOf(call: Promise<unknown>): Promise<unknown> {
  const answered = await call.catch((error: unknown) => error);
  if (!(answered instanceof Error)) return 'permitted';
  return 'data' in answered ? (answered.data as JsonObject).code : answered.message;
}

/** Processes whose command line names a folder. */
export function processesIn(folder: string): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(folder))
    .map((line) => Number.parseInt(line, 10));
}
