import { isDenial } from '../denial/index.ts';
import { type GovernanceView, type Home, openGovernanceFollower } from '../governor/index.ts';
import { denied } from './cli-error.ts';

/** The domain's governance state under its newest verified checkpoint; ends the command where it does not verify. */
export function readGovernance(home: Home): GovernanceView {
  const follower = openGovernanceFollower(home);
  if (isDenial(follower)) {
    throw denied(follower, 'see what is wrong with "writ log verify --governance"');
  }
  try {
    return follower.refresh();
  } finally {
    follower.close();
  }
}
