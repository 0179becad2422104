import type { Caller } from '../access/caller.ts';
import type { PointSession } from '../daemon/point-session.ts';
import type { PointSessions } from '../daemon/point-sessions.ts';

const owners = new WeakMap<PointSession, string>();

export function ownSession(session: PointSession, { id }: Caller): void {
  owners.set(session, id);
}

/** A session, for whoever opened it and for the owner of the daemon: nobody else can tell it is there. */
export function findOwnSession(
  sessions: PointSessions,
  id: string,
  caller: Caller,
): PointSession | undefined {
  const session = sessions.find(id);
  if (session === undefined) return undefined;
  return caller.role === 'owner' || owners.get(session) === caller.id ? session : undefined;
}
