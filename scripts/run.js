// Entry of every npm script. Plain JavaScript for any Node: installs what is missing, then runs the task with the
// Node that the project pins.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const pinnedNode = join(bin, 'node');
const marker = join(root, 'node_modules', '.installed-lockfile');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };

/** Runs a program with our stdio; returns its exit code (signals count as failure). */
function run(command, args, options = {}) {
  const child = spawnSync(command, args, { cwd: root, env, stdio: 'inherit', ...options });
  if (child.error) console.error(`${command}: ${child.error.message}`);
  return child.status ?? 1;
}

function mustRun(command, args) {
  const code = run(command, args);
  if (code !== 0) process.exit(code);
}

function installWhatIsMissing() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const installed = existsSync(marker) && readFileSync(marker, 'utf8') === lock && existsSync(pinnedNode);
  if (installed) return;
  console.error('Installing dependencies …');
  // The pinned Node is newer than what the caller may have: `engines` warnings of the install are expected.
  // Not `npm ci`: that refuses a lockfile made where the registry lacked optional packages of other platforms.
  mustRun('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
  if (run(pinnedNode, ['--version'], { stdio: 'ignore' }) !== 0) {
    console.error(
      'The pinned Node did not install: run "npm rebuild node", or put Node 24 or newer on the PATH.',
    );
    process.exit(1);
  }
  writeFileSync(marker, lock);
}

/** Format and lint, types, import ranks, then every test. The last line sums the tests up. */
function test(args) {
  if (args.length === 0) {
    console.log('Checking format and lint (biome) …');
    mustRun('biome', ['check', '--error-on-warnings', '.']);
    console.log('Checking types (tsc) …');
    mustRun('tsc', ['-p', '.']);
    console.log('Checking who imports whom (dependency-cruiser) …');
    mustRun('depcruise', ['--config', '.dependency-cruiser.js', 'src']);
  }
  const folder = mkdtempSync(join(tmpdir(), 'writ-test-'));
  const report = join(folder, 'report.json');
  const code = run('vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args,
  ]);
  const {
    numPassedTests = 0,
    numFailedTests = 0,
    numPendingTests = 0,
  } = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {};
  rmSync(folder, { recursive: true, force: true });
  console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
  // No test at all is a failure: a green run must have shown something.
  return code !== 0 ? code : numPassedTests > 0 ? 0 : 1;
}

/** Makes what is published in dist/: the library and its types, and the program. */
function build() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const code = run('tsc', ['-p', 'tsconfig.build.json']);
  return code !== 0 ? code : run(pinnedNode, [join('scripts', 'build-package.ts')]);
}

const [task = '', ...args] = process.argv.slice(2);
const tasks = {
  demo: () => run(pinnedNode, [join('bin', 'writ.js'), 'demo', ...args]),
  test: () => test(args),
  bench: () => run(pinnedNode, [join('bench', 'main.ts'), ...args]),
  // One peer comes as WebAssembly modules, about which Node warns.
  'bench:peers': () =>
    run(pinnedNode, ['--disable-warning=ExperimentalWarning', join('bench', 'peers', 'main.ts'), ...args]),
  format: () => run('biome', ['check', '--write', '.']),
  campaign: () =>
    run(pinnedNode, [join('test', 'campaign', 'kill.ts'), ...args]) ||
    run(pinnedNode, [join('test', 'campaign', 'faults.ts'), ...args]) ||
    run(pinnedNode, [join('test', 'campaign', 'fuzz.ts'), ...args]) ||
    run(pinnedNode, [join('test', 'campaign', 'replay.ts'), ...args]),
  build,
};

if (!Object.hasOwn(tasks, task)) {
  console.error(`Unknown task "${task}". Tasks: ${Object.keys(tasks).join(', ')}.`);
  process.exit(2);
}
installWhatIsMissing();
process.exit(tasks[task]());
