import { canonicalize, isJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { EffectResult } from '../../governor/index.ts';
import { type CopyLimits, copyJson } from './strict-copy.ts';

type Evidence = Pick<EffectResult<unknown>, 'evidence' | 'result' | 'note'>;

const RESULT_LIMITS: CopyLimits = { maxDepth: 64, maxValues: 200_000, maxCharacters: 8 * 1024 * 1024 };

/**
 * What the outcome receipt says of a function's result: the salted digest of its canonical JSON, or of its bytes; what
 * is neither is recorded as such. The result itself goes to the caller as it is.
 */
export function evidenceOfResult(result: unknown): Evidence {
  try {
    return readResult(result);
  } catch {
    // A proxy that was revoked, say: the function has run all the same.
    return { note: 'the result cannot be read' };
  }
}

function readResult(result: unknown): Evidence {
  if (result === undefined) return { note: 'no result' };
  if (result instanceof Uint8Array) return { evidence: Uint8Array.from(result), note: 'the result is bytes' };
  const copy = copyJson(result, 'request.malformed', RESULT_LIMITS);
  if (isDenial(copy)) {
    return {
      note:
        copy.code === 'request.too_large' ? 'the result is too large to digest' : 'the result is not JSON',
    };
  }
  return {
    evidence: Buffer.from(canonicalize(copy)),
    ...(isJsonObject(copy) ? { result: copy } : {}),
  };
}

/** An error by the salted digest of its name and message: what they say may be secret. */
export function evidenceOfError(error: unknown): Evidence {
  return { evidence: Buffer.from(textOf(error)), note: 'the function threw' };
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return 'an error that cannot be read';
  }
}
