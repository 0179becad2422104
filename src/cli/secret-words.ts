import { detectSecret, isSecretName } from '../policy/index.ts';

const HIDDEN = '…';

/**
 * A command line without the words that look like secrets, for what others may read or keep: a detector knows the word,
 * or an option before it is named like one (`--api-key VALUE`, `--api-key=VALUE`, `API_KEY=VALUE`).
 */
export function withoutSecretWords(words: readonly string[]): readonly string[] {
  return words.map((word, index) => {
    const before = words[index - 1] ?? '';
    const [name = '', ...value] = word.split('=');
    const follows = /^--?[^=]+$/.test(before) && isSecretName(before) && !word.startsWith('-');
    const states = value.length > 0 && isSecretName(name);
    return follows || states || detectSecret(word) !== undefined ? HIDDEN : word;
  });
}

export function hasSecretWord(words: readonly string[]): boolean {
  return withoutSecretWords(words).some((word, index) => word !== words[index]);
}
