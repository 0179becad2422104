import type { Action } from '../../src/decision/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { type DecisionWorld, openDecisionWorld } from '../decision-world.ts';
import { type Contestant, mustRefuse } from './contestant.ts';
import { published } from './published.ts';
import { writVersion } from './versions.ts';

const IN_FLIGHT = 64;

/** `decide` in memory, and the governor with its durable log: alone and under load. The last one closes the world. */
export async function writContestants(): Promise<Contestant[]> {
  const version = writVersion();
  const world = await openDecisionWorld();
  const { governor } = world.opened;
  const decided = (action: Action): void => {
    const { answer } = world.decide(action);
    if (isDenial(answer)) throw new Error(answer.code);
  };
  const run = async (action: Action): Promise<void> => {
    const outcome = await governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
    if (outcome.verdict === 'deny') throw new Error(outcome.denial.code);
  };
  const calls = (call: (action: Action) => unknown) => (count: number) => {
    const actions = world.actions(count);
    return (at: number): unknown => {
      const action = actions[at];
      if (action === undefined) throw new Error('no more actions');
      return call(action);
    };
  };
  const alone = async (action: Action): Promise<void> => {
    await run(action);
    await governor.settle();
  };
  return [
    {
      name: 'Writ decide',
      version,
      does: 'fresh proof of possession, cached chain, path prefix, revocation, environment, 20 Cedar policies, lineage',
      doesNot: 'any record; look up whether a proof was used before',
      refuses: 'path outside the prefix; proof for other arguments',
      inFlight: 1,
      batch: 600,
      check: () => checkRefusals(world, decided),
      prepare: calls(decided),
    },
    {
      name: 'Writ governor.run, durable, alone',
      version,
      does: 'decide; receipt of the decision durable in the Merkle log before the call, receipt of the outcome after it; replay refused',
      doesNot: 'speak to a tool server',
      refuses: 'the same, and a proof used twice',
      inFlight: 1,
      batch: 600,
      check: () => checkRefusals(world, run, true),
      prepare: calls(alone),
      rest: published,
    },
    {
      name: `Writ governor.run, durable, ${IN_FLIGHT} in flight`,
      version,
      does: 'the same; commits are shared',
      doesNot: 'speak to a tool server',
      refuses: 'the same',
      inFlight: IN_FLIGHT,
      batch: 2048,
      check: () => checkRefusals(world, run, true),
      prepare: calls(run),
      finish: () => governor.settle(),
      rest: published,
      close: () => world.close(),
    },
  ];
}

async function checkRefusals(
  world: DecisionWorld,
  call: (action: Action) => unknown,
  keepsRecord = false,
): Promise<void> {
  const [good, other] = world.actions(2);
  const [outside] = world.actions(1, '/etc/passwd');
  if (good === undefined || other === undefined || outside === undefined) throw new Error('no actions');
  const altered = { ...other, args: { path: '/data/other.txt' } };
  await call(good);
  await mustRefuse('another path', () => call(outside), 'scope.arguments_not_granted');
  await mustRefuse('a proof for other arguments', () => call(altered), 'identity.proof_invalid');
  if (keepsRecord) await mustRefuse('a proof used twice', () => call(good), 'replay.detected');
}
