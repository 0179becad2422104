import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { GovernanceState } from '../governance/index.ts';
import { GovernanceLook, hasMoved } from './governance-look.ts';

let size = 0;
let monotonicMs = 0;
const governance = {
  refresh: () => ({
    state: GovernanceState.empty,
    size,
    rootHash: `root of ${size}`,
    checkedAtMs: 0,
    policy: undefined,
  }),
};
const clock = { wallMs: () => 0, monotonicMs: () => monotonicMs };
let looking: GovernanceLook;

beforeEach(() => {
  size = 1;
  monotonicMs = 1000;
  looking = new GovernanceLook(governance, clock);
});

describe('a look at governance', () => {
  it('is shared by what is decided in the same turn, a moment later, and by nothing else', async () => {
    expect(looking.shared()).toBeUndefined();
    const look = looking.now();
    size = 2;
    expect(looking.shared()).toBe(look);
    monotonicMs += 20;
    expect(looking.shared()).toBe(look);
    monotonicMs += 1;
    expect(looking.shared()).toBeUndefined();
    monotonicMs -= 1;
    await nextTurn();
    expect(looking.shared()).toBeUndefined();
  });

  it('before an effect is younger than the decision, and serves all that were decided before it', () => {
    const decidedOn = looking.now();
    size = 2;
    const first = looking.after(decidedOn);
    expect(first.view.size).toBe(2);
    expect(hasMoved(decidedOn, first)).toBe(true);
    size = 3;
    expect(looking.after(decidedOn)).toBe(first);
    // What was decided on that look needs one of its own.
    const second = looking.after(first);
    expect(second.view.size).toBe(3);
    monotonicMs += 100;
    size = 4;
    expect(looking.after(decidedOn).view.size).toBe(4);
  });
});
