import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { readProcessFacts } from './process-facts.ts';

const isLinux = process.platform === 'linux';
const hasStrace = isLinux && spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** A program that runs on, with as many threads at least; its id. */
async function startProgram(threads: number): Promise<number> {
  const script = "require('fs').stat('.', () => console.log('up')); setInterval(() => {}, 1000);";
  const child = spawn(process.execPath, ['-e', script], {
    env: { UV_THREADPOOL_SIZE: String(threads) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child.pid ?? 0;
}

test.runIf(hasStrace)('who traces any thread is told, not that of the leading one alone', async (context) => {
  const pid = await startProgram(1);
  expect(readProcessFacts(pid)).toMatchObject({ tracerPid: 0, parentPid: process.pid });
  const other = readdirSync(`/proc/${pid}/task`).find((thread) => thread !== String(pid));
  // Without -f it attaches to that thread alone.
  const tracer = spawn('strace', ['-o', '/dev/null', '-p', String(other)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  started.push(tracer);
  const isAttached = await new Promise((resolve) => {
    tracer.stderr.on('data', (text: Buffer) => text.includes(' attached') && resolve(true));
    tracer.once('close', () => resolve(false));
  });
  // Not every machine lets its users.
  if (isAttached === false) context.skip();
  expect(readProcessFacts(pid)).toMatchObject({ tracerPid: tracer.pid });
});

test.runIf(isLinux)('of a process with more threads than are looked at nothing is told', async () => {
  expect(readProcessFacts(await startProgram(400))).toMatchObject({ tracerPid: 0 });
  expect(readProcessFacts(await startProgram(512))).toBeUndefined();
});
