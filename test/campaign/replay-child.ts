/**
 * Runs a command of `writ` in this process and tells on stderr what it cost: `node test/campaign/replay-child.ts log replay --home DIR --json`.
 * Memory is the process's high-water mark, `ru_maxrss`.
 */
import { run } from '../../src/cli/run.ts';
import { processSurroundings } from '../../src/cli/surroundings.ts';

const startedMs = performance.now();
process.exitCode = await run(process.argv.slice(2), processSurroundings());
const { maxRSS } = process.resourceUsage();
const seconds = Math.round((performance.now() - startedMs) / 1000);
process.stderr.write(`${JSON.stringify({ seconds, maxRssMiB: Math.round(maxRSS / 1024) })}\n`);
