/** A trust domain with one agent, one grant bound to a path prefix, and twenty policies: what decisions are timed in. */
import { ChainCache } from '../src/artifact/index.ts';
import { type Action, type Decision, decide, type Snapshot } from '../src/decision/index.ts';
import { measurementOf } from '../src/environment/index.ts';
import { type OpenedGovernor, openGovernanceFollower } from '../src/governor/index.ts';
import { must, READ, TestDomain } from '../test/support/trust-domain.ts';
import { TWENTY_POLICIES } from './twenty-policies.ts';

const MAX_CACHED_CHAINS = 16;

export interface DecisionWorld {
  readonly domain: TestDomain;
  readonly opened: OpenedGovernor;
  readonly token: string;
  readonly policy: NonNullable<Snapshot['policy']>;
  snapshotNow(): Snapshot;
  decide(action: Action): Decision;
  /** So many reads, each with a fresh proof, of `path` or of different files below the granted folder. */
  actions(count: number, path?: string): Action[];
  close(): Promise<void>;
}

export async function openDecisionWorld(): Promise<DecisionWorld> {
  const domain = await TestDomain.create(TWENTY_POLICIES);
  const opened = await domain.open();
  const follower = must(openGovernanceFollower(domain.home));
  const { policy, state } = follower.refresh();
  if (policy === undefined) throw new Error('no policy');
  const token = domain.issue({
    tools: { [READ]: { path: { constraint_type: 'path_containment', root: '/data' } } },
  });
  const measurement = measurementOf([], 'self', Math.floor(Date.now() / 1000));
  const cache = new ChainCache(MAX_CACHED_CHAINS);
  const snapshotNow = (): Snapshot => ({
    nowSeconds: Date.now() / 1000,
    audiences: [opened.audience],
    keepsCounters: true,
    governance: state,
    governanceCheckedAtSeconds: Date.now() / 1000,
    maxStalenessSeconds: 10,
    policy,
    measurement,
    findParent: () => undefined,
    maxLineageDepth: 32,
    findApprovals: () => ({ actionDigest: `salted-sha256:${'0'.repeat(64)}`, given: [] }),
    replay: 'fresh',
    record: 'available',
    cache,
  });
  return {
    domain,
    opened,
    token,
    policy,
    snapshotNow,
    decide: (action) => decide(action, snapshotNow()),
    actions: (count, path) =>
      Array.from({ length: count }, (_, at) =>
        domain.call([token], {
          audience: opened.audience,
          tool: READ,
          args: { path: path ?? `/data/file-${at}.txt` },
        }),
      ),
    async close() {
      follower.close();
      await opened.close();
      domain.dispose();
    },
  };
}
