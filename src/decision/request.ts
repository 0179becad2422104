import type { Presentation } from '../artifact/index.ts';
import { canonicalize, type Digest, isJsonObject, type JsonObject } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { digestOfRequest } from './permit.ts';

/** What an enforcement point asks about: one call. */
export interface Action {
  /** Tool identifier, compared as an exact string. */
  readonly tool: string;
  /** The arguments as strictly parsed; they are frozen by asking. */
  readonly args: JsonObject;
  /** What the caller presented; a denial where it could not be parsed; undefined where there was none. */
  readonly presentation: Presentation | Denial | undefined;
  /** Digest of the tool's definition as it stands now, where the enforcement point can tell. */
  readonly toolDigest?: Digest;
  /**
   * Certificates (DER in base64, leaf first) whose key the caller's connection proved to hold. INVARIANT: from the connection
   * itself, never from what a message says; not changed afterwards.
   */
  readonly peerCertificates?: readonly string[];
  /**
   * What the enforcement point itself found wrong with the call. It denies at the stage of its code, after the stages
   * before have spoken; it can never permit.
   */
  readonly refusal?: Denial;
}

/** An action made ready to decide: bounded, frozen, canonical. */
export interface Request extends Action {
  readonly argsJcs: string;
  readonly digest: Digest;
}

const MAX_TOOL_CHARACTERS = 1024;
/** A proof repeats the arguments in base64url and may have 2 MiB. */
export const MAX_ARGUMENT_BYTES = 1_500_000;

export function requestOf(action: Action): Request | Denial {
  const { tool, args, presentation } = action;
  if (typeof tool !== 'string' || tool === '' || !tool.isWellFormed()) {
    return deny('request.malformed', 'tool is not a non-empty string');
  }
  if (tool.length > MAX_TOOL_CHARACTERS) {
    return deny('request.too_large', `tool is longer than ${MAX_TOOL_CHARACTERS} characters`);
  }
  let argsJcs: string;
  try {
    argsJcs = canonicalize(args);
  } catch {
    return deny('request.malformed', 'arguments are not JSON');
  }
  if (argsJcs.length > MAX_ARGUMENT_BYTES) {
    return deny('request.too_large', `arguments are longer than ${MAX_ARGUMENT_BYTES} characters`);
  }
  if (!isJsonObject(args) || !freezeJson(args)) return deny('request.malformed', 'arguments are not JSON');
  const proof = presentation !== undefined && 'aat_pop' in presentation ? presentation.aat_pop : '';
  return { ...action, argsJcs, digest: digestOfRequest(tool, argsJcs, proof) };
}

/**
 * Freezes a JSON value in place, all of it: an outer object that was frozen already says nothing about those within.
 * Its depth is bounded: canonicalize has walked it. False for what is not JSON through and through, such as an object
 * with a `toJSON` of its own, whose canonical form is not what others read of it.
 */
function freezeJson(value: unknown): boolean {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return true;
  if (!Array.isArray(value) && !isJsonObject(value)) return false;
  Object.freeze(value);
  return Object.values(value).every(freezeJson);
}
