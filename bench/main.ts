/** `npm run bench`: every bench in a process of its own, one after the other. `npm run bench -- decide` runs one. */
import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const BENCHES = ['storage', 'decide', 'bundle', 'gateway'];
const asked = process.argv.slice(2);
const unknown = asked.find((name) => !BENCHES.includes(name));
if (unknown !== undefined) {
  console.error(`Unknown bench "${unknown}". Benches: ${BENCHES.join(', ')}.`);
  process.exit(2);
}
console.log(
  `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB. Ratios within one run, medians of several rounds.`,
);
for (const name of asked.length > 0 ? asked : BENCHES) {
  console.log(`\n${name}`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
