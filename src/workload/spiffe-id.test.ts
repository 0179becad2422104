import { expect, test } from 'vitest';
import { parseSpiffeId, parseWorkloadId } from './spiffe-id.ts';

test('a SPIFFE ID has one spelling', () => {
  expect(parseSpiffeId('spiffe://prod.example/ns/a_b/c-d.e')).toEqual({
    uri: 'spiffe://prod.example/ns/a_b/c-d.e',
    trustDomain: 'prod.example',
    path: '/ns/a_b/c-d.e',
  });
  expect(parseSpiffeId('spiffe://prod.example')?.path).toBe('');
  expect(parseWorkloadId('spiffe://prod.example')).toBeUndefined();
});

test.each([
  'Spiffe://prod.example/a',
  'SPIFFE://prod.example/a',
  'spiffe:/prod.example/a',
  'https://prod.example/a',
  'spiffe:///a',
  'spiffe://Prod.example/a',
  'spiffe://prod.example./a',
  'spiffe://.prod.example/a',
  'spiffe://prod..example/a',
  'spiffe://prod.example:443/a',
  'spiffe://user@prod.example/a',
  'spiffe://user:pass@prod.example/a',
  'spiffe://prod%2eexample/a',
  'spiffe://prod.example/%61',
  'spiffe://prod.example/a?b',
  'spiffe://prod.example/a#b',
  'spiffe://prod.example?a',
  'spiffe://prod.example/',
  'spiffe://prod.example/a/',
  'spiffe://prod.example//a',
  'spiffe://prod.example/./a',
  'spiffe://prod.example/a/..',
  'spiffe://prod.example/a b',
  'spiffe://prod.example/a\n',
  'spiffe://prod.example/a\0',
  ' spiffe://prod.example/a',
  'spiffe://pröd.example/a',
  'spiffe://prod.example/ä',
  'spiffe://prod.example\\a',
  'spiffe://[::1]/a',
  `spiffe://${'a'.repeat(256)}/a`,
  `spiffe://prod.example/${'a'.repeat(2048)}`,
  '',
])('%j is none', (text) => {
  expect(parseSpiffeId(text)).toBeUndefined();
});
