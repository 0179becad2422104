import {
  canonicalize,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  sha256Base64url,
} from '../../codec/index.ts';
import { type Denial, deny } from '../../denial/index.ts';

const MAX_OPEN_ROUNDS = 256;

/** Whose question it was: the answer to the gateway's own goes no further. */
export type Asker = 'upstream' | 'gateway';

/** What the gateway knows of one `input_required` answer it let through. */
interface Round {
  readonly permittedInputs: ReadonlySet<string>;
  readonly asker: Asker;
}

/**
 * Multi round-trip requests (MCP 2026-07-28, basic/patterns/mrtr): an answer may ask for input, and the client repeats
 * the call under a new id with `inputResponses` and `requestState`, both of which the client could have made up.
 *
 * INVARIANT: input reaches the upstream only as the answer to a question that was asked about this very call in this
 * session and permitted, and only once. A round is bound to the digest of the logical call (method and params without
 * `_meta`, `inputResponses`, `requestState`) and to the exact `requestState`.
 */
export class InputRounds {
  readonly #open = new Map<string, Round>();

  /** Remembers a question that is about to reach the client. */
  open(
    method: string,
    params: JsonObject,
    requestState: JsonValue | undefined,
    inputs: Iterable<string>,
    asker: Asker = 'upstream',
  ): void {
    const key = keyOf(method, params, requestState);
    this.#open.delete(key);
    this.#open.set(key, { permittedInputs: new Set(inputs), asker });
    if (this.#open.size <= MAX_OPEN_ROUNDS) return;
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#open.delete(oldest);
  }

  /** Whether a call repeats an earlier one. */
  isRepeat(params: JsonObject): boolean {
    return 'inputResponses' in params || 'requestState' in params;
  }

  /** Why a repeat answers no open question, if it doesn't. */
  check(method: string, params: JsonObject): Denial | undefined {
    const { inputResponses = {}, requestState } = params;
    if (!isJsonObject(inputResponses)) return deny('request.malformed', 'inputResponses is not an object');
    if (requestState !== undefined && typeof requestState !== 'string') {
      return deny('request.malformed', 'requestState is not a string');
    }
    const round = this.#open.get(keyOf(method, params, requestState));
    if (round === undefined) return deny('request.malformed', 'repeats a call that did not ask for input');
    for (const input of Object.keys(inputResponses)) {
      if (!round.permittedInputs.has(input)) {
        return deny('request.malformed', 'answers a question that was not asked');
      }
    }
    return undefined;
  }

  /** Uses the round up, and tells who asked; undefined where it has been used already. */
  consume(method: string, params: JsonObject): Asker | undefined {
    const key = keyOf(method, params, params.requestState);
    const round = this.#open.get(key);
    this.#open.delete(key);
    return round?.asker;
  }
}

function keyOf(method: string, params: JsonObject, requestState: JsonValue | undefined): string {
  const { _meta, inputResponses, requestState: _state, ...logical } = params;
  return sha256Base64url(canonicalize({ method, logical, state: requestState ?? null }));
}
