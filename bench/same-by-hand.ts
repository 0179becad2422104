import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  accountOf,
  type Confiner,
  DEFAULT_ENVIRONMENT,
  DEFAULT_LIMITS,
  type Program,
} from '../src/enforce/exec/index.ts';
import { boundArguments, processBounds } from '../src/enforce/exec/limits.ts';
import { DESCRIPTOR, sandboxArguments } from '../src/enforce/exec/sandbox-arguments.ts';
import { seccompFilter } from '../src/enforce/exec/seccomp-filter.ts';

/**
 * The very command line that Writ starts for a program, as a person would start it: limits, mounts, copies and filter are
 * the same; nobody holds it at a gate, reads its status, or decides.
 */
export function sameByHand(confiner: Confiner, program: Program, argv: readonly string[]) {
  const { account, prlimit, bubblewrap } = confiner;
  const limits = DEFAULT_LIMITS;
  const { options, command, data, making } = sandboxArguments(
    {
      ...{ program, argv, cwd: '/', environment: DEFAULT_ENVIRONMENT, paths: [], limits },
      account: accountOf(confiner),
    },
    0,
  );
  const folder = mkdtempSync(join(tmpdir(), 'writ-bench-'));
  const files = [seccompFilter() ?? new Uint8Array(), ...data].map((bytes, index) => {
    const path = join(folder, `${index}`);
    writeFileSync(path, bytes);
    return path;
  });
  const line = [
    ...boundArguments(processBounds({ limits, ...making, inGroup: true, running: 0 })),
    ...['--', bubblewrap.path, ...options.slice(0, options.indexOf('--block-fd')), '--', ...command],
  ];
  return {
    async run(): Promise<void> {
      const [filter, ...copies] = files.map((path) => openSync(path, 'r'));
      const stdio = Array.from<'ignore' | number>({ length: DESCRIPTOR.firstData }).fill('ignore');
      stdio[DESCRIPTOR.seccomp] = filter ?? 'ignore';
      const child = spawn(prlimit.path, line, {
        ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
        ...{ env: {}, cwd: '/', stdio: [...stdio, ...copies] },
      });
      const exit = once(child, 'exit');
      for (const file of [filter, ...copies]) if (file !== undefined) closeSync(file);
      const [code] = await exit;
      if (code !== 0) throw new Error(`by hand: ${String(code)}`);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
