import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { readPrivateFile } from '../key/index.ts';
import { usageError } from './cli-error.ts';

/** RFC 6750 §2.1, long enough that nobody guesses one. */
const TOKEN = /^[A-Za-z0-9._~+/-]{24,1024}=*$/;

/** Bearer tokens, one a line; empty lines and lines that start with `#` are passed over. Only the owner may read the file. */
export function readTokenFile(cwd: string, file: string): readonly string[] {
  const text = readPrivateFile(resolve(cwd, file), 'token file');
  if (isDenial(text)) throw usageError(text.detail);
  const tokens = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (tokens.length === 0) {
    throw usageError(`${file} holds no token`, 'make one: openssl rand -hex 32 > FILE; chmod 600 FILE');
  }
  if (!tokens.every((token) => TOKEN.test(token))) {
    throw usageError(
      `${file} holds a line that is no token`,
      'a token is 24 letters, digits and ._~+/- or more',
    );
  }
  return tokens;
}
