import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { MAX_ERASED_EXECUTIONS } from '../../governance/index.ts';
import { readKeyFile } from '../../key/index.ts';
import { LogLocked, withSqliteLog } from '../../storage/index.ts';
import { LogUnavailable } from '../../tlog/index.ts';
import type { NewGovernanceEvent } from '../governance-event.ts';
import { appendGovernance } from '../governance-writer.ts';
import type { Home } from '../home.ts';
import type { OnProgress } from '../replay/recorded-decisions.ts';
import { type ErasurePlan, type ErasureSelection, planErasure } from './plan-erasure.ts';

export interface ErasureOptions {
  /** Name of the execution log. */
  readonly log: string;
  readonly selection: ErasureSelection;
  readonly reason: string;
  readonly actor: string;
  readonly atSeconds: number;
  /** Asked once it is known what would be erased; nothing happens where it answers no. */
  readonly confirm: (plan: ErasurePlan) => Promise<boolean>;
  readonly onProgress?: OnProgress;
}

export interface Erasure {
  readonly plan: ErasurePlan;
  /** Requests whose key and content were destroyed now; others were gone already. */
  readonly erased: number;
  readonly confirmed: boolean;
  /** Another program is reading: overwritten pages remain in the write-ahead log until it ends and this is run again. */
  readonly walRemains: boolean;
}

const ERASED_PER_TRANSACTION = 512;

/**
 * Destroys the sealed requests of decisions: their keys, and the sealed bytes. It is recorded in the governance log first, so
 * that nothing is ever gone unaccounted for. The receipts stay; chains, policies and measurements are shared and stay, too.
 *
 * @returns a denial where the log has a writer (a running gateway), or governance cannot be written: then nothing is erased.
 */
export async function eraseEvidence(home: Home, options: ErasureOptions): Promise<Erasure | Denial> {
  const { log: name, selection, confirm, onProgress } = options;
  const directory = home.executionLogFolder(name);
  const origin = home.executionOrigin(name);
  const signer = readKeyFile(home.logKeyFile(name));
  if (isDenial(signer)) return signer;
  try {
    const done = await withSqliteLog({ directory, origin, signer, lockTimeoutMs: 0 }, async (log) => {
      const plan = await planErasure(log, selection, onProgress);
      if (plan.selected === 0 || !(await confirm(plan))) return { plan, erased: 0, confirmed: false };
      const recorded = await appendGovernance(home, eventsOf(plan, origin, options));
      if (isDenial(recorded)) return recorded;
      let erased = 0;
      const addresses = [...plan.addresses];
      for (let start = 0; start < addresses.length; start += ERASED_PER_TRANSACTION) {
        erased += await log.eraseAllEvidence(addresses.slice(start, start + ERASED_PER_TRANSACTION));
        onProgress?.(Math.min(start + ERASED_PER_TRANSACTION, addresses.length), addresses.length);
      }
      return { plan, erased, confirmed: true };
    });
    return isDenial(done) ? done : { ...done, walRemains: done.erased > 0 && hasWal(directory) };
  } catch (error) {
    // What confirming threw is the caller's.
    if (!(error instanceof LogUnavailable)) throw error;
    const hint = error instanceof LogLocked ? '; evidence is erased while nothing writes the log' : '';
    return deny('log.unavailable', `${error.message}${hint}`);
  }
}

function eventsOf(
  { beforeIndex, executions }: ErasurePlan,
  log: string,
  { actor, atSeconds: at, reason }: ErasureOptions,
): NewGovernanceEvent[] {
  const common = { event: 'evidence.erased', at, actor, log, reason } as const;
  const events: NewGovernanceEvent[] = beforeIndex > 0 ? [{ ...common, beforeIndex }] : [];
  for (let start = 0; start < executions.length; start += MAX_ERASED_EXECUTIONS) {
    events.push({ ...common, executions: executions.slice(start, start + MAX_ERASED_EXECUTIONS) });
  }
  return events;
}

function hasWal(directory: string): boolean {
  return (statSync(join(directory, 'log.sqlite-wal'), { throwIfNoEntry: false })?.size ?? 0) > 0;
}
