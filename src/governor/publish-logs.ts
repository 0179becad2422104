import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Denial, isDenial } from '../denial/index.ts';
import { readKeyFile } from '../key/index.ts';
import { LogLocked, withSqliteLog } from '../storage/index.ts';
import { formatVkey, noteVerifier } from '../tlog/index.ts';
import { listExecutionLogs } from './execution-record.ts';
import { openGovernanceFollower } from './governance-follower.ts';
import type { Home } from './home.ts';
import { cosignerFor, readWitnessPolicy } from './witness-policy-file.ts';

export interface LogPublication {
  /** `governance`, `attestation`, or the name of an execution log. */
  readonly log: string;
  /** `running`: a gateway writes it, and publishes by itself. */
  readonly state: 'published' | 'running' | 'failed';
  /** Entries under the checkpoint. */
  readonly size?: number;
  /** Why it failed; a split view carries both signed heads behind its first line. */
  readonly reason?: string;
}

/**
 * Publishes what is recorded: the governance log first, then each enrolled log that no gateway holds. Denies
 * where the witness policy is not one, or the governance log is not published and so enrolls nothing.
 */
export async function publishLogs(home: Home): Promise<readonly LogPublication[] | Denial> {
  const policy = readWitnessPolicy(home);
  if (isDenial(policy)) return policy;
  const governance = await publishLog(home, {
    log: 'governance',
    directory: home.governanceFolder,
    origin: home.governanceOrigin,
    keyFile: home.keyFile('governance'),
    vkeys: [home.governanceVkey],
  });
  if (governance.state === 'failed') return [governance];
  const follower = openGovernanceFollower(home);
  if (isDenial(follower)) return follower;
  const { state } = follower.view;
  follower.close();
  const publications = [governance];
  for (const log of listExecutionLogs(home)) {
    const origin = home.executionOrigin(log);
    const vkeys = state.logByOrigin(origin)?.vkeys;
    if (vkeys === undefined) continue;
    const keyFile = home.logKeyFile(log);
    const directory = home.executionLogFolder(log);
    publications.push(await publishLog(home, { log, directory, origin, keyFile, vkeys }));
  }
  const origin = home.attestationOrigin;
  const vkeys = state.logByOrigin(origin)?.vkeys;
  if (vkeys !== undefined) {
    const directory = home.attestationFolder;
    const keyFile = home.keyFile('attestation');
    publications.push(await publishLog(home, { log: 'attestation', directory, origin, keyFile, vkeys }));
  }
  return publications;
}

async function publishLog(
  home: Home,
  which: {
    readonly log: string;
    readonly directory: string;
    readonly origin: string;
    readonly keyFile: string;
    readonly vkeys: readonly string[];
  },
): Promise<LogPublication> {
  const { log, directory, origin, keyFile, vkeys } = which;
  const signer = readKeyFile(keyFile);
  if (isDenial(signer)) return { log, state: 'failed', reason: signer.detail };
  // INVARIANT: only the key the domain knows the log by vouches for what stands in the folder, and what is gone is not
  // replaced by an empty log.
  if (!vkeys.includes(formatVkey(origin, signer.publicKey))) {
    return { log, state: 'failed', reason: `${keyFile} is not the key the domain knows the log by` };
  }
  if (!existsSync(join(directory, 'log.sqlite'))) {
    return { log, state: 'failed', reason: `${directory} does not hold the log any more: restore it` };
  }
  const cosigner = cosignerFor(home, noteVerifier(origin, signer.publicKey));
  if (isDenial(cosigner)) return { log, state: 'failed', reason: cosigner.detail };
  const options = { directory, origin, signer, ...(cosigner && { cosigner }) };
  // A governance command is done in a moment; a gateway runs on.
  const lock = log === 'governance' ? {} : { lockTimeoutMs: 0 };
  try {
    const size = await withSqliteLog({ ...options, ...lock }, async (open) => {
      await open.checkpoint();
      return open.head().size;
    });
    return { log, state: 'published', size };
  } catch (error) {
    if (error instanceof LogLocked) return { log, state: 'running' };
    return { log, state: 'failed', reason: error instanceof Error ? error.message : 'unknown error' };
  }
}
