import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { parseDecisionReceipt } from '../receipt/index.ts';
import { LogLocked, openShortSqliteLog, ReopeningLog } from '../storage/index.ts';
import { formatVkey, type Log, noteVerifier } from '../tlog/index.ts';
import type { Clock } from './clock.ts';
import { openLogKey } from './domain.ts';
import type { GovernanceFollower } from './governance-follower.ts';
import { appendGovernance } from './governance-writer.ts';
import { type Home, writeFileDurably } from './home.ts';
import { cosignerFor } from './witness-policy-file.ts';

const MAX_INSTANCES = 16;

/** An execution log that this process writes. */
export interface InstanceLog {
  readonly log: Log;
  readonly logName: string;
  /** The first instance of its name: it keeps the counters of the audience. */
  readonly primary: boolean;
}

interface InstanceLogOptions {
  readonly home: Home;
  /** Configured name of the enforcement point. */
  readonly name: string;
  readonly clock: Clock;
  readonly evidenceKey: Uint8Array;
  readonly follower: GovernanceFollower;
  /** As `GovernorOptions` has it. */
  readonly lockTimeoutMs?: number;
}

/**
 * Opens the first execution log of a name that no other process writes, checked against the governance it stood on, and
 * enrolled in it.
 */
export async function openInstanceLog(options: InstanceLogOptions): Promise<InstanceLog | Denial> {
  const { home, clock, follower } = options;
  const instance = await takeInstanceLog(options, follower.view.state);
  if (isDenial(instance)) return instance;
  const unfit = await findUnfit(instance.log, instance.logName, follower, { home, clock });
  if (unfit === undefined) return instance;
  // An open log has a thread, which would keep the process from ending.
  await instance.log.close();
  return unfit;
}

/** Why decisions cannot be recorded in a log that was just opened. Does not throw. */
async function findUnfit(
  log: Log,
  logName: string,
  follower: GovernanceFollower,
  { home, clock }: { readonly home: Home; readonly clock: Clock },
): Promise<Denial | undefined> {
  try {
    return findRollback(log, logName, follower) ?? (await enrollLog(home, logName, follower, clock));
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny('log.unavailable', `execution log ${logName} cannot be used: ${reason}`);
  }
}

/** Takes the first execution log of this name that no other process writes: `fs`, `fs~2`, … */
async function takeInstanceLog(
  { home, name, clock, evidenceKey, lockTimeoutMs }: InstanceLogOptions,
  governance: GovernanceState,
): Promise<InstanceLog | Denial> {
  for (let number = 1; number <= MAX_INSTANCES; number += 1) {
    const logName = number === 1 ? name : `${name}~${number}`;
    const signer = openLogKey(home, logName);
    if (isDenial(signer)) return signer;
    const directory = home.executionLogFolder(logName);
    const origin = home.executionOrigin(logName);
    // INVARIANT: a log is enrolled after it was made. One that is gone took its consumed proofs and counters with it, and
    // an empty one in its place would accept them all again.
    if (governance.logByOrigin(origin) !== undefined && !existsSync(join(directory, 'log.sqlite'))) {
      if (number > 1) continue;
      return deny(
        'log.unavailable',
        `execution log ${logName} has been used, but ${directory} does not hold it any more: restore it, or use another name`,
      );
    }
    const cosigner = cosignerFor(home, noteVerifier(origin, signer.publicKey));
    if (isDenial(cosigner)) return cosigner;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const options = { directory, origin, signer, evidenceKey, clock, ...(cosigner && { cosigner }) };
      const log = await (lockTimeoutMs === undefined
        ? ReopeningLog.open(options)
        : openShortSqliteLog({ ...options, lockTimeoutMs }));
      return { log, logName, primary: number === 1 };
    } catch (error) {
      if (error instanceof LogLocked && lockTimeoutMs === undefined) continue;
      const reason = error instanceof Error ? error.message : 'unknown error';
      return deny('log.unavailable', `execution log ${logName} cannot be opened: ${reason}`);
    }
  }
  return deny('log.unavailable', `${MAX_INSTANCES} instances of ${name} are running already`);
}

/** Entries at the end of a log in which a decision is looked for. */
const ROLLBACK_TAIL = 64;

/**
 * A governance log that was put back, database and checkpoint together, verifies: what it lacks are the revocations since.
 * The execution log remembers the newest one its decisions stood on.
 */
function findRollback(log: Log, logName: string, follower: GovernanceFollower): Denial | undefined {
  const { size } = log.head();
  const start = Math.max(0, size - ROLLBACK_TAIL);
  for (const entry of log.read(start, size - start).reverse()) {
    const receipt = parseDecisionReceipt(entry);
    if (isDenial(receipt)) continue;
    const { governance } = receipt;
    if (follower.extends(governance.size, governance.rootHash)) return undefined;
    return deny(
      'revocation.stale',
      `the governance log is not the one that decisions of ${logName} stood on (${governance.size} entries then, ${follower.view.size} now): restore a newer one`,
    );
  }
  return undefined;
}

/** Makes the log's key known: to the domain by a governance event, to auditors by a file beside the log. */
async function enrollLog(
  home: Home,
  logName: string,
  follower: GovernanceFollower,
  clock: Clock,
): Promise<Denial | undefined> {
  const key = openLogKey(home, logName);
  if (isDenial(key)) return key;
  const origin = home.executionOrigin(logName);
  const vkey = formatVkey(origin, key.publicKey);
  const file = join(home.executionLogFolder(logName), 'log.vkey');
  if (!existsSync(file) || readFileSync(file, 'utf8').trim() !== vkey)
    writeFileDurably(file, `${vkey}\n`, 0o644);
  const known = follower.refresh().state.logByOrigin(origin)?.vkeys ?? [];
  if (known.includes(vkey)) return undefined;
  const at = Math.floor(clock.wallMs() / 1000);
  const appended = await appendGovernance(home, [
    { event: 'log.enrolled', at, actor: home.audience(logName), origin, vkey },
  ]);
  return isDenial(appended) ? appended : undefined;
}
