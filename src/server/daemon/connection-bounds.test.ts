import { expect, it } from 'vitest';
import { connectionBounds } from './connection-bounds.ts';

it('leaves the logs a quarter of the files, and the Unix socket a quarter of the rest', () => {
  expect(connectionBounds(20_000, 1000)).toEqual({ remote: 562, local: 188 });
  expect(connectionBounds(100, 1000)).toEqual({ remote: 100, local: 650 });
  expect(connectionBounds(undefined, 1000)).toEqual({ remote: 0, local: 750 });
  expect(connectionBounds(20_000, 1_000_000)).toEqual({ remote: 20_000, local: 20_000 });
  expect(connectionBounds(20_000, Number.POSITIVE_INFINITY)).toEqual({ remote: 20_000, local: 20_000 });
});

it('knows how many files this process may open', () => {
  const { remote, local } = connectionBounds(10);
  expect(remote).toBe(10);
  expect(local).toBeGreaterThan(100);
});
