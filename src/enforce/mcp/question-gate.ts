import type { Denial } from '../../denial/index.ts';
import { FAULTS } from './answer.ts';
import type { InputQuestion } from './input-questions.ts';
import type { Action, CallerTrace, CallGovernor, Effect } from './ports.ts';
import { receiptOf } from './run-all.ts';

/** Why questions don't reach the client: one was denied, or (no denial) one is of a kind that never passes. */
export interface Withheld {
  readonly denial: Denial | undefined;
  readonly receipt: string | undefined;
}

/**
 * Decides the questions an upstream's answer asks, each an action of its own. Undefined when every one is permitted;
 * the first that isn't ends it.
 */
export async function findWithheldQuestion(
  governor: CallGovernor,
  questions: readonly InputQuestion[],
  present: (question: InputQuestion) => Action['presentation'],
  caller?: CallerTrace,
): Promise<Withheld | undefined> {
  for (const question of questions) {
    const { tool, args, toolDigest, kind } = question;
    const action: Action = {
      tool,
      args,
      presentation: present(question),
      ...(toolDigest === undefined ? {} : { toolDigest }),
    };
    const effect: Effect<undefined> = async () =>
      kind === 'governed'
        ? { status: 'succeeded', value: undefined, note: 'question let through to the client' }
        : { status: 'failed', value: undefined, note: FAULTS.unsupportedMethod.note };
    const outcome = await governor.run(action, effect, caller);
    const receipt = receiptOf(outcome);
    if (outcome.verdict === 'deny') return { denial: outcome.denial, receipt };
    if (kind !== 'governed') return { denial: undefined, receipt };
  }
  return undefined;
}
