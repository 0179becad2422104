import { readToken } from '../artifact/index.ts';
import { isJsonObject } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import { type BoundInput, bindInput } from '../enforce/exec/index.ts';
import { denied, usageError } from './cli-error.ts';
import type { Session } from './session.ts';

/** Whether a token of the artifact says something of standard input: then it is read, and bound, before the decision. */
export function asksForStdin(chain: readonly string[] | Denial, tool: string): boolean {
  if (isDenial(chain)) return false;
  return chain.some((compact) => {
    const token = readToken(compact);
    const map = isDenial(token) ? undefined : token.toolsJson?.[tool];
    return isJsonObject(map) && Object.hasOwn(map, 'stdinDigest');
  });
}

/** Reads it whole. */
export async function bindStdin({ stdin }: Session['surroundings']): Promise<BoundInput> {
  if (stdin.isTTY === true) {
    throw usageError(
      'the artifact binds standard input, which is a terminal here',
      'give it a file or a pipe',
    );
  }
  const bound = await bindInput(stdin);
  if (isDenial(bound)) throw denied(bound);
  return bound;
}
