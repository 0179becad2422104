/** One log measured once: what a governed call costs on it, and reading it. */
import type { OpenedGovernor } from '../../src/governor/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { READ, type TestDomain } from '../../test/support/trust-domain.ts';
import { mustPermit, type Time, timeBatch, type Work } from './contestant.ts';
import { keyOf } from './filler.ts';

const IN_FLIGHT = 64;
const WARM_UP = 20;
/** Few, so that a small log stays small. */
const ALONE = 100;
const LOADED = 512;
const READS = 300;
/** A prime, so that reads go all over the fillers. */
const STRIDE = 7919;

export interface SizeTimes {
  /** From nothing to a governor that takes calls. */
  readonly opening: Time;
  /** `governor.run` with both its receipts durable. */
  readonly alone: Time;
  readonly loaded: Time;
  /** An entry by its key. */
  readonly lookup: Time;
  readonly proof: Time;
}

/** `fillers`: how many entries of the log are fillers, from the first on. */
export async function timeSize(domain: TestDomain, fillers: number): Promise<SizeTimes> {
  let governor: OpenedGovernor | undefined;
  const open = async (): Promise<void> => {
    governor = await domain.open();
  };
  const opening = await timeBatch({ inFlight: 1, batch: 1, prepare: () => open });
  if (governor === undefined) throw new Error('no governor');
  try {
    return { opening, ...(await timeRuns(domain, governor)), ...(await timeReads(domain, fillers)) };
  } finally {
    // Publishes what was appended, so that nothing goes on beside the next log.
    await governor.close();
  }
}

async function timeRuns(domain: TestDomain, { governor, audience }: OpenedGovernor) {
  const token = domain.issue({
    tools: { [READ]: { path: { constraint_type: 'path_containment', root: '/data' } } },
  });
  const work = (inFlight: number, batch: number, settles: boolean): Work => ({
    inFlight,
    batch,
    prepare(count) {
      const actions = Array.from({ length: count }, (_, at) =>
        domain.call([token], { audience, tool: READ, args: { path: `/data/file-${at}.txt` } }),
      );
      return async (at) => {
        const action = actions[at];
        if (action === undefined) throw new Error('no more actions');
        const { verdict } = await governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
        mustPermit(verdict !== 'deny');
        if (settles) await governor.settle();
      };
    },
    finish: () => governor.settle(),
  });
  await timeBatch(work(1, WARM_UP, true));
  return {
    alone: await timeBatch(work(1, ALONE, true)),
    loaded: await timeBatch(work(IN_FLIGHT, LOADED, false)),
  };
}

async function timeReads({ home }: TestDomain, fillers: number) {
  const reader = openSqliteLogReader(home.executionLogFolder('fs'));
  try {
    const { size } = reader.head();
    const placeOf = (at: number): number => (at * STRIDE * STRIDE) % fillers;
    const lookup: Work = {
      inFlight: 1,
      batch: READS,
      prepare(count) {
        const keys = Array.from({ length: count }, (_, at) => reader.read(placeOf(at), 1).map(keyOf));
        return (at) => mustPermit(reader.lookup(keys[at]?.[0] ?? '')[0] === placeOf(at));
      },
    };
    const proof: Work = {
      inFlight: 1,
      batch: READS,
      prepare: () => (at) => reader.inclusionProof(placeOf(at), size),
    };
    return { lookup: await timeBatch(lookup), proof: await timeBatch(proof) };
  } finally {
    reader.close();
  }
}
