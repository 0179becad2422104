import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { type Home, readWitnessPolicy } from '../governor/index.ts';
import { type LogProblem, type LogVerification, verifyLog } from '../storage/index.ts';
import { checkQuorum, openCheckpoint, parseVkey } from '../tlog/index.ts';

/** What checking one log found. */
export interface LogCheck {
  /** `governance`, `attestation`, or the name of an execution log. */
  readonly log: string;
  readonly verified: boolean;
  readonly entries: number | null;
  /** How many of them a signed checkpoint covers. */
  readonly signed: number | null;
  /** Entries below this index are those that were signed for, whatever is wrong with the rest. */
  readonly trusted: number;
  readonly firstBad: FirstBad;
  readonly problems: LogVerification['problems'];
  /** What is no problem by itself, but may be the trace of one. */
  readonly notes: LogVerification['notes'];
}

/** The first of each kind that is not as it was signed; null where there is none. */
export interface FirstBad {
  readonly entry: number | null;
  readonly tile: string | null;
  /** Why the published checkpoint cannot be used. */
  readonly checkpoint: string | null;
}

const VKEY_FILE = 'log.vkey';

export async function checkGovernanceLog(home: Home): Promise<LogCheck> {
  const vkeys = [home.governanceVkey];
  return withWitnesses(
    home,
    home.governanceFolder,
    vkeys,
    await checkLog('governance', home.governanceFolder, vkeys),
  );
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
  return checkEnrolledLog(home, name, home.executionOrigin(name), home.executionLogFolder(name), state);
}

/** Checks the attestation log in the same way; undefined where the domain has none. */
export async function checkAttestationLog(
  home: Home,
  state: GovernanceState | undefined,
): Promise<LogCheck | undefined> {
  const { attestationOrigin: origin, attestationFolder: folder } = home;
  if (!existsSync(folder) && state?.logByOrigin(origin) === undefined) return undefined;
  return checkEnrolledLog(home, 'attestation', origin, folder, state);
}

async function checkEnrolledLog(
  home: Home,
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
  const check = withWitnesses(home, folder, vkeys, await checkLog(name, folder, vkeys));
  const beside = readKeyFileBeside(folder);
  if (beside === undefined || vkeys.includes(beside)) return check;
  const detail = 'the key beside the log is not the enrolled one';
  const problem = { code: 'key_unknown', where: VKEY_FILE, detail } as const;
  return { ...check, verified: false, problems: [...check.problems, problem] };
}

/** A log may have had several keys; its newest checkpoint is signed with one of them. */
async function checkLog(log: string, folder: string, vkeys: readonly string[]): Promise<LogCheck> {
  let last = refused(log, 'key', 'it has no key');
  for (const vkey of vkeys.toReversed()) {
    const key = parseVkey(vkey);
    if (isDenial(key)) continue;
    const { head, checkpoint, trustedSize: trusted, ...found } = await verifyLog(folder, key);
    const firstBad = firstBadOf(found.problems);
    const [entries, signed] = [head?.size ?? null, checkpoint?.size ?? null];
    last = { log, ...found, entries, signed, trusted, firstBad };
    // Under a key that did not sign it every log looks the same: the one that did sign has more to say.
    if (signed !== null) break;
  }
  return last;
}

/** With a witness policy, a checkpoint that its witnesses did not cosign is no published one. */
function withWitnesses(home: Home, folder: string, vkeys: readonly string[], check: LogCheck): LogCheck {
  const problem = findUnwitnessed(home, folder, vkeys);
  if (problem === undefined) return check;
  const found: LogProblem = { code: 'unwitnessed', where: 'checkpoint', detail: problem };
  return { ...check, verified: false, problems: [...check.problems, found] };
}

function findUnwitnessed(home: Home, folder: string, vkeys: readonly string[]): string | undefined {
  const policy = readWitnessPolicy(home);
  if (policy === undefined) return undefined;
  if (isDenial(policy)) return policy.detail;
  let missing = 'it has none';
  try {
    const note = readFileSync(join(folder, 'checkpoint'), 'utf8');
    for (const vkey of vkeys) {
      const key = parseVkey(vkey);
      if (isDenial(key)) continue;
      const opened = openCheckpoint(
        note,
        key,
        policy.witnesses.map(({ verifier }) => verifier),
      );
      const verdict = isDenial(opened) ? undefined : checkQuorum(policy, opened.cosignatures);
      if (verdict?.met) return undefined;
      missing = verdict?.missing ?? (isDenial(opened) ? opened.detail : missing);
    }
  } catch {
    // No checkpoint: what is wrong is said already.
    return undefined;
  }
  return `it is not witnessed as the policy of the domain asks: ${missing}`;
}

function refused(log: string, where: string, detail: string): LogCheck {
  const problems = [{ code: 'key_unknown', where, detail }] as const;
  const firstBad = firstBadOf(problems);
  return { log, verified: false, entries: null, signed: null, trusted: 0, firstBad, problems, notes: [] };
}

function firstBadOf(problems: LogVerification['problems']): FirstBad {
  const first = (pattern: RegExp) => problems.find(({ where }) => pattern.test(where));
  const entry = first(/^entry \d+$/);
  return {
    entry: entry === undefined ? null : Number(entry.where.slice('entry '.length)),
    tile: first(/^tile\//)?.where ?? null,
    checkpoint: first(/^checkpoint$/)?.detail ?? null,
  };
}

function readKeyFileBeside(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, VKEY_FILE), 'utf8').trim();
  } catch {
    return undefined;
  }
}
