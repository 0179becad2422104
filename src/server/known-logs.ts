import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type GovernanceFollower, type Home, isLocalName } from '../governor/index.ts';

/** Names of the execution logs that the domain has enrolled and that are here. A folder beside them is no log of its. */
export function enrolledLogs(home: Home, follower: GovernanceFollower): string[] {
  return follower.refresh().state.logs.flatMap(({ origin }) => {
    const name = origin.slice(home.executionOrigin('').length);
    const isHere = isLocalName(name) && origin === home.executionOrigin(name);
    return isHere && existsSync(join(home.executionLogFolder(name), 'log.sqlite')) ? [name] : [];
  });
}
