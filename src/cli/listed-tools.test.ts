import { expect, it } from 'vitest';
import { digestOf } from '../codec/index.ts';
import { MAX_TOOLS } from '../environment/index.ts';
import { ListedTools } from './listed-tools.ts';

const digest = digestOf('definition');
const tools = (server: string, count: number, length = 0) =>
  Array.from({ length: count }, (_, at) => ({
    id: `mcp://${server}/tools/${at}${'x'.repeat(length)}`,
    digest,
  }));

it('a server that lists too much takes no room of the others, before or after them', () => {
  for (const excess of [tools('huge', MAX_TOOLS), tools('huge', MAX_TOOLS / 2, 400)]) {
    let told = 0;
    const listed = new ListedTools(2, (all) => {
      told = all.length;
    });
    expect(() => listed.list('huge', excess)).toThrow(TypeError);
    listed.list('fs', tools('fs', 3));
    expect(told).toBe(3);
    expect(() => listed.list('huge', excess)).toThrow(TypeError);
    listed.list('huge', tools('huge', 2));
    listed.list('fs', tools('fs', MAX_TOOLS / 2));
    expect(told).toBe(MAX_TOOLS / 2 + 2);
  }
});

it('what nobody could be told of is not told with the next list', () => {
  let isRefused = true;
  let told = 0;
  const listed = new ListedTools(2, (all) => {
    if (isRefused) throw new TypeError('too many');
    told = all.length;
  });
  expect(() => listed.list('a', tools('a', 5))).toThrow(TypeError);
  isRefused = false;
  listed.list('b', tools('b', 1));
  expect(told).toBe(1);
});
