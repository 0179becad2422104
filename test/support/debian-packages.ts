import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const APT = '/usr/bin/apt-get';
const TIMEOUT_MS = 180_000;

/**
 * Tries to install Debian packages that a test drives, where this is Debian and we are root. Never throws: whoever calls
 * looks for the program afterwards, and skips its tests with a message where it is not there.
 */
export function installDebianPackages(...names: readonly string[]): void {
  if (!existsSync(APT) || process.geteuid?.() !== 0) return;
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  // The package lists may be too old, or not there yet.
  for (const command of [install, ['update'], install]) {
    const ended = runApt(command);
    if (ended && command === install) return;
  }
}

function runApt(command: readonly string[]): boolean {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    execFileSync(APT, ['--option', 'DPkg::Lock::Timeout=60', '--quiet', ...command], {
      env: environment,
      stdio: 'ignore',
      timeout: TIMEOUT_MS,
    });
    return true;
  } catch {
    return false;
  }
}

/** Says on stderr why tests do not run, so that a skipped one is not mistaken for one that passed. */
export function tellSkipped(what: string, why: string): void {
  process.stderr.write(`SKIPPED: ${what}: ${why}\n`);
}
