/**
 * `npm run bench`: every bench in a process of its own, one after the other. `npm run bench -- decide` runs one, and
 * `npm run bench -- index 1000000` hands it what is no bench's name.
 */
import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const BENCHES = ['storage', 'decide', 'bundle', 'daemon', 'pdp', 'gateway', 'revoke', 'index', 'exec'];
const given = process.argv.slice(2);
const asked = given.filter((name) => BENCHES.includes(name));
const handed = given.slice(asked.length);
const unknown =
  asked.length === 0 ? given[0] : given.slice(0, asked.length).find((name) => !asked.includes(name));
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
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...handed], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
