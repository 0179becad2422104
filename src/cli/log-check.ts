import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import type { Home } from '../governor/index.ts';
import { type LogVerification, verifyLog } from '../storage/index.ts';
import { parseVkey } from '../tlog/index.ts';

/** What checking one log found. */
export interface LogCheck {
  /** `governance`, `attestation`, or the name of an execution log. */
  readonly log: string;
  readonly verified: boolean;
  readonly entries: number | null;
  /** How many of them a signed checkpoint covers. */
  readonly signed: number | null;
  readonly problems: LogVerification['problems'];
}

const VKEY_FILE = 'log.vkey';

export async function checkGovernanceLog(home: Home): Promise<LogCheck> {
  return checkLog('governance', home.governanceFolder, [home.governanceVkey]);
}

/**
 * Checks an execution log under the key that the governance log enrolled for it; the key file beside the log is only
 * compared with it.
 */
export async function checkExecutionLog(
  home: Home,
  name: string,
  state: GovernanceState | undefined,
): Promise<LogCheck> {
  return checkEnrolledLog(name, home.executionOrigin(name), home.executionLogFolder(name), state);
}

/** Checks the attestation log in the same way; undefined where the domain has none. */
export async function checkAttestationLog(
  home: Home,
  state: GovernanceState | undefined,
): Promise<LogCheck | undefined> {
  const { attestationOrigin: origin, attestationFolder: folder } = home;
  if (!existsSync(folder) && state?.logByOrigin(origin) === undefined) return undefined;
  return checkEnrolledLog('attestation', origin, folder, state);
}

async function checkEnrolledLog(
  name: string,
  origin: string,
  folder: string,
  state: GovernanceState | undefined,
): Promise<LogCheck> {
  const vkeys = state?.logByOrigin(origin)?.vkeys ?? [];
  if (vkeys.length === 0) {
    const why =
      state === undefined ? 'the governance log does not verify' : 'the governance log does not enroll it';
    return refused(name, 'key', `its key is not known: ${why}`);
  }
  const check = await checkLog(name, folder, vkeys);
  const beside = readKeyFileBeside(folder);
  if (beside === undefined || vkeys.includes(beside)) return check;
  const problem = { where: VKEY_FILE, detail: 'the key beside the log is not the enrolled one' };
  return { ...check, verified: false, problems: [...check.problems, problem] };
}

/** A log may have had several keys; its newest checkpoint is signed with one of them. */
async function checkLog(log: string, folder: string, vkeys: readonly string[]): Promise<LogCheck> {
  let last = refused(log, 'key', 'it has no key');
  for (const vkey of vkeys.toReversed()) {
    const key = parseVkey(vkey);
    if (isDenial(key)) continue;
    const { verified, problems, head, checkpoint } = await verifyLog(folder, key);
    last = { log, verified, entries: head?.size ?? null, signed: checkpoint?.size ?? null, problems };
    if (verified) break;
  }
  return last;
}

function refused(log: string, where: string, detail: string): LogCheck {
  return { log, verified: false, entries: null, signed: null, problems: [{ where, detail }] };
}

function readKeyFileBeside(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, VKEY_FILE), 'utf8').trim();
  } catch {
    return undefined;
  }
}
