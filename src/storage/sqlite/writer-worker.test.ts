import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Prints what the module named by the argument loads, one address a line. */
const LIST_LOADED = `
  const { registerHooks } = require('node:module');
  const loaded = new Set();
  registerHooks({ load(url, context, next) { loaded.add(url); return next(url, context); } });
  import(process.argv[1]).then(() => console.log([...loaded].join('\\n')));
`;

it('loads its own few files and nothing installed: what a thread loads delays every opening of a log', () => {
  const loop = new URL('./writer-loop.ts', import.meta.url).href;
  const loaded = execFileSync(process.execPath, ['-e', LIST_LOADED, loop], { encoding: 'utf8' })
    .split('\n')
    .filter((url) => url.startsWith('file:'));
  expect(loaded).toContain(loop);
  expect(loaded.filter((url) => /node_modules|\/(tlog|codec|key|storage)\/index\.ts$/.test(url))).toEqual([]);
});
