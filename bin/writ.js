#!/usr/bin/env node
// Plain JavaScript on purpose: this file must start on any Node, then hand over to one that is new enough.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MINIMUM_MAJOR = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (Number(process.versions.node.split('.')[0]) >= MINIMUM_MAJOR) {
  const { enableCompileCache } = await import('node:module');
  // A folder of our own: compiled code in the shared temporary folder could be another user's.
  enableCompileCache?.(join(root, 'node_modules', '.cache', 'writ'));
  const source = join(root, 'src', 'cli', 'main.ts');
  const { main } = await import(existsSync(source) ? source : join(root, 'dist', 'program', 'main.js'));
  await main(process.argv.slice(2));
} else {
  const pinned = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(pinned) || process.env.WRIT_REEXEC === '1') {
    process.stderr.write(
      `writ needs Node ${MINIMUM_MAJOR} or newer; this is ${process.version}.\n` +
        `Install a newer Node, or run "npm install" in ${root} to get the pinned one.\n`,
    );
    process.exit(2);
  }
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, WRIT_REEXEC: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGKILL' ? 137 : 143);
  });
}
