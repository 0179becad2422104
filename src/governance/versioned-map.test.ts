import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VersionedMap } from './versioned-map.ts';

test('every version stays what it was, whichever version is written to next', () => {
  const writes = fc.array(
    fc.record({ version: fc.nat(), key: fc.constantFrom('a', 'b', 'c', 'd', '__proto__'), value: fc.nat(9) }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(writes, (steps) => {
      const versions = [{ map: VersionedMap.empty<number>(), model: new Map<string, number>() }];
      for (const { version, key, value } of steps) {
        const from = versions[version % versions.length];
        if (from === undefined) throw new Error('there is always a first version');
        versions.push({ map: from.map.with(key, value), model: new Map(from.model).set(key, value) });
      }
      for (const { map, model } of versions) {
        expect([...map.values()]).toEqual([...model.values()]);
        expect(map.isEmpty).toBe(model.size === 0);
        for (const key of ['a', 'b', 'c', 'd', '__proto__']) expect(map.get(key)).toBe(model.get(key));
      }
    }),
    { numRuns: 1000 },
  );
});

test('following a growing map costs as much per write at the end as at the start', () => {
  let map = VersionedMap.empty<number>();
  for (let index = 0; index < 100_000; index += 1) map = map.with(`key ${index}`, index);
  expect(map.get('key 99999')).toBe(99_999);
});
