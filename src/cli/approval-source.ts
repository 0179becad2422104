import { isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { ApprovalRequests, type Home } from '../governor/index.ts';
import { denied } from './cli-error.ts';
import { readGovernance } from './governance.ts';

/** The requests of a domain, with the governance state they stand against. */
export async function withRequests<T>(
  home: Home,
  use: (requests: ApprovalRequests, state: GovernanceState) => T | Promise<T>,
): Promise<T> {
  const { state } = readGovernance(home);
  const requests = ApprovalRequests.open(home, state);
  if (isDenial(requests)) throw denied(requests);
  try {
    return await use(requests, state);
  } finally {
    requests.close();
  }
}
