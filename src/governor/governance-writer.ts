import { type Denial, deny, isDenial } from '../denial/index.ts';
import { foldGovernance, serializeGovernanceEvent } from '../governance/index.ts';
import { readKeyFile } from '../key/index.ts';
import { LogLocked, withSqliteLog } from '../storage/index.ts';
import { noteVerifier, QuorumUnmet } from '../tlog/index.ts';
import { appendThroughDaemon } from './daemon/append-through-daemon.ts';
import { completeEvent, type NewGovernanceEvent, notInForceYet } from './governance-event.ts';
import type { Home } from './home.ts';
import { cosignerFor } from './witness-policy-file.ts';

/**
 * Appends events to the domain’s governance log, none of them where one conflicts with what stands, and publishes the
 * checkpoint that covers them, so that every follower honours them from the moment this resolves. Waits its turn where
 * another command is writing; where the domain's daemon runs, it writes them.
 *
 * With a witness policy, events count once its witnesses have cosigned that checkpoint; while they cannot be had, this
 * denies although the events are recorded, and they come into force with the next checkpoint that is published.
 *
 * @returns the size of the log afterwards (the new epoch).
 */
export async function appendGovernance(
  home: Home,
  events: readonly NewGovernanceEvent[],
): Promise<number | Denial> {
  if (home.governanceWriter !== undefined) return home.governanceWriter.append(events);
  const appended = (await appendThroughDaemon(home, events)) ?? (await appendAlone(home, events));
  if (!(appended instanceof LogLocked)) return appended;
  // A daemon that was starting holds the lock before it can be found.
  return (
    (await appendThroughDaemon(home, events)) ??
    deny('log.unavailable', `the governance log cannot be written: ${appended.message}`)
  );
}

async function appendAlone(
  home: Home,
  events: readonly NewGovernanceEvent[],
): Promise<number | Denial | LogLocked> {
  const signer = readKeyFile(home.keyFile('governance'));
  if (isDenial(signer)) return signer;
  try {
    const { governanceFolder: directory, governanceOrigin: origin } = home;
    const cosigner = cosignerFor(home, noteVerifier(origin, signer.publicKey));
    if (isDenial(cosigner)) return cosigner;
    const options = { directory, origin, signer, ...(cosigner && { cosigner }) };
    return await withSqliteLog(options, async (log) => {
      let state = foldGovernance(log.read(0, log.head().size));
      if (isDenial(state)) return state;
      const complete = events.map(completeEvent);
      for (const event of complete) {
        const conflict = state.findConflict(event);
        if (conflict !== undefined) return deny('request.malformed', conflict);
        state = state.apply(event);
      }
      for (const event of complete) await log.append({ entry: serializeGovernanceEvent(event) });
      await log.checkpoint();
      return log.head().size;
    });
  } catch (error) {
    if (error instanceof LogLocked) return error;
    if (error instanceof QuorumUnmet) return notInForceYet(error);
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny('log.unavailable', `the governance log cannot be written: ${reason}`);
  }
}
