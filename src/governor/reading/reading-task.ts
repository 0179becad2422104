import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { GovernanceState } from '../../governance/index.ts';
import { buildLineageForest, lineageJson } from '../../lineage/index.ts';
import type { EvidenceBundle, EvidenceKind } from '../../receipt/index.ts';
import { ApprovalRequests, type RequestPage, type RequestPageQuery } from '../approvals/approval-requests.ts';
import { systemClock } from '../clock.ts';
import { bundleExecution } from '../evidence/bundle-execution.ts';
import { openGovernanceFollower } from '../governance-follower.ts';
import { type Home, openHome } from '../home.ts';
import { LineageReader } from '../lineage-reader.ts';
import {
  type DomainSimulation,
  type DomainSimulationOptions,
  simulateDomain,
} from '../simulation/simulate-domain.ts';

/** Questions that read logs from end to end, or much of them. */
export type ReadingTask =
  | { readonly kind: 'bundle'; readonly execution: string; readonly withhold: readonly EvidenceKind[] }
  /** @property max executions shown; ancestors and descendants come first. */
  | { readonly kind: 'lineage'; readonly execution: string; readonly max: number }
  /** How many requests for approval are open, of the newest thousand since a moment. */
  | { readonly kind: 'approvals-waiting'; readonly nowMs: number; readonly sinceMs: number }
  | ({ readonly kind: 'approvals' } & RequestPageQuery)
  | ({ readonly kind: 'simulation'; readonly bundle: Uint8Array } & DomainSimulationOptions);

/** A lineage as `writ lineage show --json` has it. */
export interface LineageAnswer {
  readonly execution: string;
  readonly ancestors: number;
  readonly descendants: number;
  readonly executions: readonly object[];
  readonly omitted: number;
  readonly repeated: number;
}

export interface ReadingAnswers {
  readonly bundle: EvidenceBundle;
  readonly lineage: LineageAnswer;
  readonly simulation: DomainSimulation;
  readonly 'approvals-waiting': { readonly waiting: number };
  readonly approvals: RequestPage;
}

export type ReadingAnswer = ReadingAnswers[keyof ReadingAnswers];

/** Answers a question about the domain in a folder. */
export async function answerReading(folder: string, task: ReadingTask): Promise<ReadingAnswer | Denial> {
  const home = openHome(folder);
  if (isDenial(home)) return home;
  if (task.kind === 'bundle') {
    return bundleExecution(home, task.execution, { withhold: new Set(task.withhold) });
  }
  if (task.kind === 'lineage') return lineageOf(home, task.execution, task.max);
  if (task.kind === 'approvals') {
    return withRequests(home, (requests, state) => requests.page(state, task));
  }
  if (task.kind === 'approvals-waiting') {
    return withRequests(home, async (requests, state) => {
      const found = await requests.list(state, task);
      return isDenial(found) ? found : { waiting: found.filter(({ status }) => status === 'open').length };
    });
  }
  return simulateDomain(home, Buffer.from(task.bundle), task);
}

async function withRequests<T>(
  home: Home,
  use: (requests: ApprovalRequests, state: GovernanceState) => Promise<T | Denial>,
): Promise<T | Denial> {
  const governance = openGovernanceFollower(home, systemClock, { policy: false });
  if (isDenial(governance)) return governance;
  governance.close();
  const { state } = governance.view;
  const requests = ApprovalRequests.open(home, state);
  if (isDenial(requests)) return requests;
  try {
    return await use(requests, state);
  } finally {
    requests.close();
  }
}

function lineageOf(home: Home, execution: string, max: number): LineageAnswer | Denial {
  const reader = LineageReader.open(home);
  if (isDenial(reader)) return reader;
  try {
    const focus = reader.find(execution);
    if (focus === undefined) return deny('request.malformed', 'no enrolled log has such an execution');
    const { entries, relations, ...counts } = reader.around(focus, max);
    const executions = lineageJson(buildLineageForest(entries, { maxNodes: max }), relations);
    return { execution: focus.executionId, ...counts, executions };
  } finally {
    reader.close();
  }
}
