import { expect, it } from 'vitest';
import type { Counter, VerifiedChain } from '../../artifact/index.ts';
import { SpentCounters } from './spent-counters.ts';

const chain = (hash: string, expSeconds: number): VerifiedChain =>
  ({ tokens: [{ hash, expSeconds }] }) as unknown as VerifiedChain;
const counter = (tokenHash: string, amount: number, limit: number): Counter => ({
  ...{ tokenHash, name: 'budget:amount', limit, amount },
});

it('sums decimals as the log does: 0.1 and 0.2 reach 0.3, and nothing more does', () => {
  const spent = new SpentCounters();
  const token = chain('a', 100);
  for (const amount of [0.1, 0.2]) {
    expect(spent.find(token, [counter('a', amount, 0.3)])).toBe('within');
    spent.add(token, [counter('a', amount, 0.3)], 10);
  }
  expect(spent.find(token, [counter('a', 0.000001, 0.3)])).toBe('exhausted');
  expect(spent.find(token, [counter('a', 0, 0.3)])).toBe('within');
});

it('counts what one call moves twice, twice', () => {
  const both = [counter('a', 2, 3), counter('a', 2, 3)];
  expect(new SpentCounters().find(chain('a', 100), both)).toBe('exhausted');
});

it('forgets counters of tokens that have ended, and says that it may have', () => {
  const spent = new SpentCounters();
  for (let at = 0; at < 70_000; at += 1)
    spent.add(chain(`t${at}`, at / 1000), [counter(`t${at}`, 1, 1)], at / 1000 + 300);
  expect(spent.find(chain('t0', 0), [counter('t0', 1, 1)])).toBe('unknown');
  expect(spent.find(chain('new', 1e6), [counter('new', 1, 1)])).toBe('within');
  expect(spent.find(chain('t69999', 69.999), [counter('t69999', 1, 1)])).toBe('exhausted');
});
