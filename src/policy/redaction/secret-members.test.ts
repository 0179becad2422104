import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../codec/index.ts';
import { parsePointer } from './pointer.ts';
import { withoutSecrets } from './secret-members.ts';

const without = (args: JsonObject, ...secret: string[]) =>
  withoutSecrets(
    args,
    secret.map((text) => parsePointer(text) ?? []),
  );
const GONE = '[redacted]';

describe('withoutSecrets', () => {
  it.each<[string, JsonObject, string, JsonObject]>([
    ['a member', { a: 1, b: 's' }, '/b', { a: 1, b: GONE }],
    ['a member whatever it is', { b: { c: ['s'] } }, '/b', { b: GONE }],
    ['a nested member', { b: { c: 's', d: 1 } }, '/b/c', { b: { c: GONE, d: 1 } }],
    ['an item', { b: ['s', 't'] }, '/b/1', { b: ['s', GONE] }],
    ['a member of every item', { b: [{ c: 's' }, { d: 1 }] }, '/b/*/c', { b: [{ c: GONE }, { d: 1 }] }],
    ['every member', { b: { x: 's', y: 't' } }, '/b/*', { b: { x: GONE, y: GONE } }],
    ['a member in other letters', { B: 's' }, '/b', { B: GONE }],
    ['escaped names', { 'a/b': { '~': 's' } }, '/a~1b/~0', { 'a/b': { '~': GONE } }],
    ['all of text where members were expected', { b: '{"c":"s"}' }, '/b/c', { b: GONE }],
    ['all of a list where a member was expected', { b: [{ c: 's' }] }, '/b/c', { b: GONE }],
    ['a null', { b: null }, '/b', { b: GONE }],
  ])('takes out %s', (_, args, pointer, kept) => {
    const before = structuredClone(args);
    expect(without(args, pointer)).toEqual({ args: kept, redacted: [pointer] });
    expect(args).toEqual(before);
  });

  it('leaves arguments as they are where nothing in them is secret', () => {
    const args = { a: { b: null }, c: [] };
    expect(without(args, '/b', '/a/x', '/a/b/c', '/c/*').args).toBe(args);
    expect(without(args, '/b').redacted).toEqual([]);
  });

  it('takes out all that several rules name, and says which found something', () => {
    expect(without({ a: 's', b: { c: 't' } }, '/b/c', '/a', '/b', '/z')).toEqual({
      args: { a: GONE, b: GONE },
      redacted: ['/a', '/b', '/b/c'],
    });
  });
});
