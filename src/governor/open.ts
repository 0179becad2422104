import { createSecretKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChainCache } from '../artifact/index.ts';
import type { Digest } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import {
  type Component,
  joinComponents,
  type Measurement,
  measurementOf,
  toolComponents,
} from '../environment/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { parseDecisionReceipt } from '../receipt/index.ts';
import { LogLocked, openSqliteLog } from '../storage/index.ts';
import { formatVkey, type Log, noteVerifier } from '../tlog/index.ts';
import { type Clock, systemClock } from './clock.ts';
import { openLogKey } from './domain.ts';
import { readEvidenceKey } from './evidence-key.ts';
import { ExecutionFinder } from './execution-finder.ts';
import {
  type GovernanceFollower,
  type GovernanceView,
  openGovernanceFollower,
} from './governance-follower.ts';
import { appendGovernance } from './governance-writer.ts';
import { Governor } from './governor.ts';
import { type Home, writeFileDurably } from './home.ts';
import { cosignerFor } from './witness-policy-file.ts';

export interface GovernorOptions {
  readonly home: Home;
  /** Configured name of the enforcement point: its audience and its execution log are named after it. */
  readonly name: string;
  /** What was measured of the runtime (enforcer and upstream), or its coming: the log is opened meanwhile. */
  readonly components: readonly Component[] | Promise<readonly Component[]>;
  readonly clock?: Clock;
  /** Governance knowledge older than this denies. */
  readonly maxStalenessSeconds?: number;
  readonly maxLineageDepth?: number;
}

export interface OpenedGovernor {
  readonly governor: Governor;
  /** Name of the execution log, and the audience that proofs must name. */
  readonly log: string;
  readonly audience: string;
  readonly view: () => GovernanceView;
  /** Tells the definitions of the upstream's tools as they now are; they join the measurement. */
  setTools(tools: readonly { readonly id: string; readonly digest: Digest }[]): void;
  close(): Promise<void>;
}

const DEFAULT_MAX_STALENESS_SECONDS = 10;
const DEFAULT_MAX_LINEAGE_DEPTH = 32;
const MAX_CACHED_CHAINS = 1024;
const MAX_INSTANCES = 16;

/**
 * Opens a governor on a trust domain on disk: governance followed, an execution log of its own, keys at hand. Rejects
 * only where measuring does, with its reason.
 */
export async function openGovernor(options: GovernorOptions): Promise<OpenedGovernor | Denial> {
  const { home, name, clock = systemClock } = options;
  const measuring = Promise.resolve(options.components);
  // Awaited below, unless something else fails first.
  measuring.catch(() => undefined);
  // INVARIANT: a measurement is as old as the oldest of its components; listing tools again makes none of it younger.
  const measuredAtSeconds = Math.floor(clock.wallMs() / 1000);
  const evidenceKey = readEvidenceKey(home.evidenceKeyFile);
  if (isDenial(evidenceKey)) return evidenceKey;
  const follower = openGovernanceFollower(home, clock);
  if (isDenial(follower)) return follower;
  const instance = await openInstanceLog(options, evidenceKey, follower.view.state);
  if (isDenial(instance)) {
    follower.close();
    return instance;
  }
  const { log, logName, primary } = instance;
  const unfit = await findUnfit(log, logName, follower, { home, clock });
  if (unfit !== undefined) {
    // An open log has a thread, which would keep the process from ending.
    follower.close();
    await log.close();
    return unfit;
  }
  let components: readonly Component[];
  let measurement: Measurement;
  try {
    components = await measuring;
    measurement = measure(components, [], measuredAtSeconds);
  } catch (error) {
    follower.close();
    await log.close();
    throw error;
  }

  const finder = new ExecutionFinder(home, log, logName, () => follower.view.state);
  const cache = new ChainCache(MAX_CACHED_CHAINS);
  const audience = home.audience(logName);
  const audiences = primary ? [audience] : [home.audience(name), audience];
  const governor = new Governor({
    log,
    origin: home.executionOrigin(logName),
    evidenceKey: createSecretKey(evidenceKey),
    clock,
    governance: follower,
    awaitParent: (executionId) => finder.awaitCovered(executionId),
    surroundings: () => ({
      audiences,
      keepsCounters: primary,
      maxStalenessSeconds: options.maxStalenessSeconds ?? DEFAULT_MAX_STALENESS_SECONDS,
      measurement,
      findParent: (executionId) => finder.find(executionId),
      maxLineageDepth: options.maxLineageDepth ?? DEFAULT_MAX_LINEAGE_DEPTH,
      cache,
    }),
  });
  return {
    governor,
    log: logName,
    audience,
    view: () => follower.refresh(),
    setTools(tools) {
      measurement = measure(components, tools, measuredAtSeconds);
    },
    async close() {
      await governor.close();
      finder.close();
      follower.close();
    },
  };
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

interface Instance {
  readonly log: Log;
  readonly logName: string;
  /** The first instance of its name: it keeps the counters of the audience. */
  readonly primary: boolean;
}

/** Takes the first execution log of this name that no other process writes: `fs`, `fs~2`, … */
async function openInstanceLog(
  { home, name, clock = systemClock }: GovernorOptions,
  evidenceKey: Uint8Array,
  governance: GovernanceState,
): Promise<Instance | Denial> {
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
      const log = await openSqliteLog(options);
      return { log, logName, primary: number === 1 };
    } catch (error) {
      if (error instanceof LogLocked) continue;
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

function measure(
  components: readonly Component[],
  tools: readonly { readonly id: string; readonly digest: Digest }[],
  measuredAtSeconds: number,
): Measurement {
  return measurementOf(
    joinComponents(components, toolComponents(new Map(tools.map(({ id, digest }) => [id, digest])))),
    'self',
    measuredAtSeconds,
  );
}
