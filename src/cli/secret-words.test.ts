import { expect, it } from 'vitest';
import { hasSecretWord, withoutSecretWords } from './secret-words.ts';

it.each([
  [
    ['server', '--api-key', 'hunter2', '/work'],
    ['server', '--api-key', '…', '/work'],
  ],
  [
    ['server', '--api-key=hunter2'],
    ['server', '…'],
  ],
  [
    ['env', 'DB_PASSWORD=hunter2', 'server'],
    ['env', '…', 'server'],
  ],
  [
    ['server', 'postgres://bob:hunter2@db/x'],
    ['server', '…'],
  ],
  [
    ['server', '--header', 'Authorization: Bearer hunter2hunter2'],
    ['server', '--header', '…'],
  ],
])('%j is shown as %j', (words, shown) => {
  expect(withoutSecretWords(words)).toEqual(shown);
  expect(hasSecretWord(words)).toBe(true);
});

it('leaves a command line alone that holds no secret', () => {
  const words = [
    'npx',
    '-y',
    '@modelcontextprotocol/server-filesystem',
    '/home/you/work',
    '--token-file',
    '--verbose',
  ];
  expect(withoutSecretWords(words)).toEqual(words);
  expect(hasSecretWord(words)).toBe(false);
});
